//! A role as a process of its own: it has said where it listens, its log is kept, and it ends with the test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use testkit::{ChildGuard, eventually};

use testkit::program;

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
    pub async fn start(name: &str, settings: &[(&str, String)], log: PathBuf) -> Self {
        let file = std::fs::File::create(&log).expect("a log can be written");
        let mut command = Command::new(program(name));
        command
            .env_clear()
            .current_dir(log.parent().expect("it is in a directory"))
            .envs(settings.iter().map(|(name, value)| (name, value)));
        let guard = ChildGuard::spawn(command.stdout(Stdio::null()).stderr(file));
        let mut started = Self { guard, name: name.to_owned(), log, address: String::new() };
        started.address = eventually(&format!("`{name}` says where it listens"), STARTS_WITHIN, async || {
            let gone = started.guard.ended();
            // A process that has ended says nothing any more.
            assert!(gone.is_none(), "`{name}` ended ({gone:?}): {}", started.said());
            address_in(&started.log).ok_or_else(|| started.said())
        })
        .await;
        started
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
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
        let Some((200, text)) = self.get("/metrics").await else { return 0.0 };
        let is_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        text.lines().filter(is_it).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
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
