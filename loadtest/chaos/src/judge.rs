//! The judge of deliveries: a receiver in a process of its own, which writes down what it accepted before it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::ChildGuard;

use testkit::program;

pub struct Judge {
    url: String,
    ledger: File,
    /// The beginning of a line whose end is not written yet.
    rest: String,
    accepted: BTreeMap<String, Accepted>,
    process: ChildGuard,
}

/// What was accepted under one webhook id.
#[derive(Debug, Default)]
pub struct Accepted {
    pub times: usize,
    /// Hashes of the bodies it came with.
    bodies: BTreeSet<u64>,
}

impl Judge {
    /// One that knows endpoints by this secret.
    pub fn start(directory: &Path, secret: &str) -> Self {
        let path = directory.join("ledger.jsonl");
        let ledger = File::options().create(true).append(true).read(true).open(&path).expect("a ledger can be written");
        let mut command = Command::new(program("webhook-judge"));
        let mut process = ChildGuard::spawn(command.arg(secret).arg(&path).stdout(Stdio::piped()).stderr(Stdio::null()));
        let mut url = String::new();
        BufReader::new(process.child().stdout.take().expect("piped")).read_line(&mut url).expect("it says where it listens");
        Self { url: url.trim().to_owned(), ledger, rest: String::new(), accepted: BTreeMap::new(), process }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Where the receiver behaves as a path of `testkit::receiver` says.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Where a delivery is accepted at once and answered so many milliseconds later: who dies in between does not know.
    pub fn late(&self, ms: u32) -> String {
        self.url(&format!("/late/{ms}"))
    }

    /// What was accepted so far, by webhook id.
    pub fn accepted(&mut self) -> &BTreeMap<String, Accepted> {
        self.ledger.read_to_string(&mut self.rest).expect("the ledger can be read");
        let whole = self.rest.rfind('\n').map_or(0, |end| end + 1);
        for line in self.rest.drain(..whole).collect::<String>().lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            // The others tell that something was answered.
            let Some(id) = line["id"].as_str() else { continue };
            let accepted = self.accepted.entry(id.to_owned()).or_default();
            accepted.times += 1;
            accepted.bodies.insert(line["body"].as_u64().expect("a hash"));
            assert_eq!(accepted.bodies.len(), 1, "one webhook id came with two bodies: {line}");
        }
        &self.accepted
    }

    pub fn count(&mut self) -> usize {
        self.accepted().len()
    }
}
