//! A role as a process of its own: it has said where it listens, its log is kept, and it ends with the test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use testkit::{ChildGuard, eventually};
use tokio::time::{Instant, MissedTickBehavior, interval};

use testkit::program;

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A debug build on a busy machine, that waits for servers.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// A drain takes 25 s at most, and then everything is closed.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

pub struct Process {
    pub guard: ChildGuard,
    name: String,
    log: PathBuf,
    address: String,
}

impl Process {
    /// Starts a role with these settings and nothing of the tester's own environment, and returns when it says where it listens.
    ///
    /// # Panics
    /// When it ends before it does.
    pub async fn start(name: &str, settings: &[(&str, String)], log: PathBuf) -> Self {
        Self::try_start(name, settings, log).await.unwrap_or_else(|said| panic!("{said}"))
    }

    /// The same where it may end at once, because what it needs is away.
    ///
    /// # Errors
    /// With what it said, when it has ended.
    pub async fn try_start(name: &str, settings: &[(&str, String)], log: PathBuf) -> Result<Self, String> {
        let file = std::fs::File::create(&log).expect("a log can be written");
        let mut command = Command::new(program(name));
        command
            .env_clear()
            .current_dir(log.parent().expect("it is in a directory"))
            .envs(settings.iter().map(|(name, value)| (name, value)));
        let guard = ChildGuard::spawn(command.stdout(Stdio::null()).stderr(file));
        let mut started = Self { guard, name: name.to_owned(), log, address: String::new() };
        // Not by `eventually`: its looks cannot go from thread to thread, and whoever supervises a fleet does.
        let (mut looks, until) = (interval(LOOK_EVERY), Instant::now() + STARTS_WITHIN);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while started.address.is_empty() {
            looks.tick().await;
            // A process that has ended says nothing any more.
            if let Some(status) = started.guard.ended() {
                return Err(format!("`{name}` ended ({status}): {}", started.said()));
            }
            assert!(Instant::now() < until, "not within {STARTS_WITHIN:?}: `{name}` says where it listens\n{}", started.said());
            started.address = address_in(&started.log).unwrap_or_default();
        }
        Ok(started)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where its log is.
    pub fn log(&self) -> &Path {
        &self.log
    }

    pub fn pid(&self) -> u32 {
        self.guard.id()
    }

    /// Its log, or the end of a long one.
    pub fn said(&self) -> String {
        const END: usize = 6_000;
        let text = self.log_text();
        let from = (text.len().saturating_sub(END)..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        format!("--- {} ({}) said\n{}", self.name, self.pid(), &text[from..])
    }

    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The status and the body of what a GET is answered, if it is.
    pub async fn get(&self, path: &str) -> Option<(u16, String)> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().expect("a client");
        let answer = client.get(self.url() + path).send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.text().await.ok()?))
    }

    /// What its readiness says is wrong with something that it depends on: `broker`, `store`, `coordination`.
    pub async fn trouble_with(&self, dependency: &str) -> Option<String> {
        let (_, body) = self.get("/health/ready").await?;
        let body: Value = serde_json::from_str(&body).ok()?;
        let found = body["dependencies"].as_array()?.iter().find(|found| found["name"] == dependency)?;
        found["error"].as_str().map(str::to_owned)
    }

    /// Waits until it is of use.
    pub async fn ready(&self) {
        let look = async || match self.get("/health/ready").await {
            Some((200, _)) => Ok(()),
            other => Err(format!("{other:?}\n{}", self.said())),
        };
        eventually(&format!("`{}` is ready", self.name), STARTS_WITHIN, look).await;
    }

    /// The value of a metric, all its labels added up; 0 when there is none.
    pub async fn metric(&self, name: &str) -> f64 {
        self.metric_of(name, "").await
    }

    /// The same, of those that have this label: `duty="rescue"`.
    pub async fn metric_of(&self, name: &str, label: &str) -> f64 {
        let Some((200, text)) = self.get("/metrics").await else { return 0.0 };
        let is_it = |line: &&str| line.contains(label) && line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        text.lines().filter(is_it).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Its resident memory in bytes; 0 when it has ended.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kilobytes.unwrap_or(0) * 1_024
    }

    /// Asks it to end as an orchestrator does, and insists on a clean end.
    pub async fn stop(mut self) {
        self.guard.terminate();
        let status = self.guard.end(ENDS_WITHIN).await;
        assert_eq!(status.code(), Some(0), "`{}` did not end cleanly: {}", self.name, self.said());
    }
}

fn address_in(log: &Path) -> Option<String> {
    let text = std::fs::read_to_string(log).ok()?;
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| Some(line["address"].as_str()?.to_owned())).next()
}
