//! Who works? Each role's processes, with links of their own to every server, and somebody who starts them again when they end.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex as Lock;
use testkit::{FaultProxy, Mode, servers};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::fault::{Role, Server};
use crate::fleet::{Fleet, Urls};
use crate::process::Process;

/// Slots of a worker: few enough that a burst of jobs makes hints wait.
const SLOTS: u32 = 24;
const START_EVERY: Duration = Duration::from_secs(1);
/// A process that cannot be started for so long is a failure of the soak.
const STARTS_WITHIN: Duration = Duration::from_secs(180);

/// The ports of the three servers.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub database: u16,
    pub broker: u16,
    pub redis: u16,
}

/// A place that a process of a role has, whichever it is at the moment.
pub struct Post {
    pub role: Role,
    pub copy: usize,
    links: [FaultProxy; 3],
    settings: Vec<(&'static str, String)>,
    /// Held by whoever breaks it, until it works again.
    process: Mutex<Option<Process>>,
    /// Of the latest process, for whoever has no time to wait for it; 0 before the first.
    pid: AtomicU32,
    logs: Lock<Vec<PathBuf>>,
    /// How often it ended without being asked to, with what it said last.
    ends: Lock<Vec<String>>,
}

impl Post {
    pub async fn new(role: Role, copy: usize, urls: &Urls, ports: Ports) -> Self {
        let links = [FaultProxy::start(ports.database).await, FaultProxy::start(ports.broker).await, FaultProxy::start(ports.redis).await];
        let settings = vec![
            ("FLOTILLA_DATABASE_URL", servers::through(&urls.database, links[0].port())),
            ("FLOTILLA_BROKER_URL", servers::through(&urls.broker, links[1].port())),
            ("FLOTILLA_REDIS_URL", servers::through(&urls.redis, links[2].port())),
            ("FLOTILLA_WORKER_SLOTS", SLOTS.to_string()),
        ];
        Self {
            role,
            copy,
            links,
            settings,
            process: Mutex::new(None),
            pid: AtomicU32::new(0),
            logs: Lock::default(),
            ends: Lock::default(),
        }
    }

    pub fn link(&self, server: Server) -> &FaultProxy {
        &self.links[server as usize]
    }

    pub fn mend_links(&self) {
        self.links.iter().for_each(|link| link.set(Mode::Pass));
    }

    /// Whoever has this may break it. A supervisor leaves it alone meanwhile.
    pub async fn seize(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().await
    }

    /// Starts a process in place of one that has ended, again and again until one stays.
    ///
    /// # Panics
    /// When none does in time.
    pub async fn start(&self, fleet: &Fleet, process: &mut Option<Process>) {
        let starting = async {
            let mut tries = interval(START_EVERY);
            tries.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tries.tick().await;
                match fleet.try_start(self.role.program(), &self.settings).await {
                    Ok(started) => return started,
                    // A server is away: whoever runs processes starts them again.
                    Err(_) => continue,
                }
            }
        };
        let started = timeout(STARTS_WITHIN, starting).await;
        let started = started.unwrap_or_else(|_| panic!("`{}` does not start", self.role.program()));
        self.logs.lock().push(started.log().to_owned());
        self.pid.store(started.pid(), Ordering::SeqCst);
        *process = Some(started);
    }

    /// Looks after it while nobody breaks it: `true` when it had ended by itself and was started again.
    pub async fn look_after(&self, fleet: &Fleet) -> bool {
        let Ok(mut process) = self.process.try_lock() else { return false };
        let Some(running) = process.as_mut() else { return false };
        let Some(status) = running.guard.ended() else { return false };
        self.ends.lock().push(format!(
            "{} {} ended by itself ({status}): {}",
            self.role.program(),
            self.copy + 1,
            last_line(&running.log_text())
        ));
        self.start(fleet, &mut process).await;
        true
    }

    /// Its process, whoever breaks it at the moment.
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::SeqCst)
    }

    /// How often it ended without being asked to.
    pub fn ends(&self) -> Vec<String> {
        self.ends.lock().clone()
    }

    /// How often its processes have said this so far.
    pub fn said(&self, words: &str) -> usize {
        let logs = self.logs.lock().clone();
        logs.iter().filter_map(|log| std::fs::read_to_string(log).ok()).map(|text| text.matches(words).count()).sum()
    }
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}
