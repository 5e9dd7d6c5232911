//! `flotilla up` and the roles as processes of their own, in a data directory of their own.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use flotilla::{Client, ClientError, Credentials};
use serde_json::Value;
use testkit::{ChildGuard, Scratch, program};

use crate::servers::Servers;

pub const SOON: Duration = Duration::from_secs(30);

/// How often a job that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Where processes that follow each other keep their things.
pub struct Home {
    scratch: Scratch,
    settings: Vec<(&'static str, String)>,
}

/// A role that runs.
pub struct Role {
    pub child: ChildGuard,
    /// `http://` and where its API or admin port listens.
    pub url: String,
    log: PathBuf,
}

/// A process that answers.
pub struct Up {
    pub child: ChildGuard,
    pub client: Client,
    output: Option<BufReader<std::process::ChildStdout>>,
}

impl Home {
    pub fn new() -> Self {
        Self { scratch: Scratch::new(), settings: Vec::new() }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    /// The same for processes on real servers.
    pub fn on(self, servers: &Servers) -> Self {
        servers.settings().into_iter().fold(self, |home, (name, value)| home.with(name, value))
    }

    pub fn data_dir(&self) -> PathBuf {
        self.scratch.join("data")
    }

    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// The `flotilla` command, with this home and nothing of the tester's own environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flotilla"));
        command.current_dir(self.path()).env_clear().args(["--data-dir", &self.data_dir().display().to_string()]).args(arguments);
        command.envs(self.settings.iter().map(|(name, value)| (*name, value.as_str())));
        command
    }

    /// A role's program, with this home, free ports and nothing of the tester's own environment.
    pub fn role_command(&self, name: &str) -> Command {
        let mut command = Command::new(program(name));
        command.current_dir(self.path()).env_clear().env("FLOTILLA_LISTEN", "127.0.0.1:0").env("FLOTILLA_ADMIN_LISTEN", "127.0.0.1:0");
        command.envs(self.settings.iter().map(|(name, value)| (*name, value.as_str())));
        command
    }

    /// Starts a role and waits until it says where it listens.
    pub async fn role(&self, name: &str) -> Role {
        let log = self.path().join(format!("{}.log", testkit::servers::unique_name(name)));
        let child = ChildGuard::spawn(self.role_command(name).stderr(std::fs::File::create(&log).expect("writable")));
        let mut role = Role { child, url: String::new(), log };
        testkit::eventually(&format!("{name} says where it listens"), SOON, async || role.address().is_some()).await;
        role.url = format!("http://{}", role.address().expect("said"));
        role
    }

    /// A client of a producer, with a key made past it.
    pub fn client_of(&self, producer: &Role) -> Client {
        let made = self.run(&["keys", "create", "test", "--direct", "--scopes", "admin"]);
        assert!(made.status.success(), "{}", text(&made.stderr));
        let credentials = Credentials { url: producer.url.clone(), key: text(&made.stdout).trim().to_owned() };
        credentials.client_once().expect("a client")
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().expect("the program starts")
    }

    /// Starts `up` and waits until it says where it listens.
    pub fn up(&self) -> Up {
        let mut child = ChildGuard::spawn(self.command(&["up", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(self.errors()));
        let mut output = BufReader::new(child.child().stdout.take().expect("piped"));
        let (mut first, mut second) = (String::new(), String::new());
        output.read_line(&mut first).expect("readable");
        output.read_line(&mut second).expect("readable");
        assert!(first.starts_with("API"), "{first}{}", self.said());
        Up { child, client: self.client(), output: Some(output) }
    }

    pub fn client(&self) -> Client {
        let text = std::fs::read_to_string(self.data_dir().join("cli.json")).expect("credentials are left behind");
        serde_json::from_str::<Credentials>(&text).expect("JSON").client_once().expect("a client")
    }

    /// What all processes wrote to standard error.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.path().join("stderr.log")).unwrap_or_default()
    }

    fn errors(&self) -> std::fs::File {
        std::fs::OpenOptions::new().create(true).append(true).open(self.path().join("stderr.log")).expect("writable")
    }
}

impl Role {
    /// What it wrote to standard error.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn address(&self) -> Option<String> {
        let lines = self.said();
        let mut lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find_map(|line| line["address"].as_str().map(str::to_owned))
    }

    /// Asks it to end, and returns how it ended with all it said.
    pub async fn stop(mut self) -> (Option<i32>, String) {
        self.child.terminate();
        let status = self.child.end(SOON * 2).await;
        (status.code(), self.said())
    }
}

impl Up {
    /// Asks it to end, and returns how it ended with the rest of what it said.
    pub async fn stop(mut self) -> (Option<i32>, String) {
        self.child.signal("INT");
        let status = self.child.end(SOON * 2).await;
        let mut rest = String::new();
        self.output.take().expect("taken once").read_to_string(&mut rest).expect("readable");
        (status.code(), rest)
    }
}

/// Looks at a job until it has ended. The caller sets the deadline.
pub async fn until_ended(client: &Client, id: &str) -> Result<Value, ClientError> {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        let job = client.get(&format!("/v1/jobs/{id}"), &[]).await?.body;
        if !job["finished_at"].is_null() {
            return Ok(job);
        }
    }
}

/// Every job of the tenant that a filter lets through.
pub async fn jobs(client: &Client, query: &[(&str, &str)]) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = query.to_vec();
        query.push(("limit", "200"));
        if let Some(cursor) = &cursor {
            query.push(("cursor", cursor));
        }
        let page = client.get("/v1/jobs", &query).await.expect("listed").body;
        all.extend(page["jobs"].as_array().expect("a list").iter().cloned());
        match page["cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return all,
        }
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
