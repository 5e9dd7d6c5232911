//! `flotilla up` as a process of its own, in a data directory of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use flotilla::{Client, Credentials};
use serde_json::Value;
use testkit::{ChildGuard, Scratch};

pub const SOON: Duration = Duration::from_secs(30);

/// Where processes that follow each other keep their things.
pub struct Home {
    scratch: Scratch,
    settings: Vec<(&'static str, String)>,
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
        Client::new(serde_json::from_str::<Credentials>(&text).expect("JSON")).expect("a client")
    }

    /// What all processes wrote to standard error.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.path().join("stderr.log")).unwrap_or_default()
    }

    fn errors(&self) -> std::fs::File {
        std::fs::OpenOptions::new().create(true).append(true).open(self.path().join("stderr.log")).expect("writable")
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
