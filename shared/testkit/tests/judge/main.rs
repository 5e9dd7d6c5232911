//! The judging receiver as a process: it prints where it listens, and its ledger survives the one who asks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::{ChildGuard, Scratch};
use vault::WebhookSecret;

fn now_secs() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    i64::try_from(since.as_secs()).expect("fits")
}

/// Posts a delivery and returns the status line.
fn post(address: &str, path: &str, id: &str, signature: &str, at: i64) -> String {
    let headers = format!("webhook-id: {id}\r\nwebhook-timestamp: {at}\r\nwebhook-signature: {signature}\r\n");
    ask(address, "POST", path, &headers)
}

/// Sends a request and returns the status line.
fn ask(address: &str, method: &str, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connects");
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: 2\r\n");
    write!(stream, "{head}{headers}\r\n{{}}").expect("writes");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.lines().next().unwrap_or_default().to_owned()
}

/// A judge, its address, and what it wrote down.
struct Judge {
    address: String,
    secret: WebhookSecret,
    ledger: std::path::PathBuf,
    process: ChildGuard,
    _directory: Scratch,
}

impl Judge {
    fn start() -> Self {
        let directory = Scratch::new();
        let ledger = directory.join("ledger.jsonl");
        let secret = WebhookSecret::generate().expect("random");
        let mut command = Command::new(env!("CARGO_BIN_EXE_webhook-judge"));
        command.arg(secret.to_text().as_str()).arg(&ledger).stdout(Stdio::piped());
        let mut process = ChildGuard::spawn(&mut command);
        let out = process.child().stdout.take().expect("piped");
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).expect("its address");
        let address = line.trim().strip_prefix("http://").expect("a URL").to_owned();
        Self { address, secret, ledger, process, _directory: directory }
    }

    /// Its lines, after its death.
    fn lines(mut self) -> Vec<Value> {
        self.process.kill();
        let text = std::fs::read_to_string(&self.ledger).expect("a ledger");
        text.lines().map(|line| serde_json::from_str(line).expect("whole lines")).collect()
    }
}

#[test]
fn the_process_judges_and_writes_a_line_for_each_accepted_delivery() {
    let judge = Judge::start();
    let (address, secret, at) = (judge.address.as_str(), &judge.secret, now_secs());
    let signed = |id: &str| secret.sign(id, at, b"{}");
    assert!(post(address, "/ok", "a", &signed("a"), at).contains("200"));
    assert!(post(address, "/slow/10", "a", &signed("a"), at).contains("200"));
    assert!(post(address, "/fail/1", "b", &signed("b"), at).contains("503"));
    assert!(post(address, "/fail/1", "b", &signed("b"), at).contains("200"));
    assert!(post(address, "/ok", "c", &signed("a"), at).contains("401"), "another id's signature");
    assert!(post(address, "/ok", "d", &secret.sign("d", at - 400, b"{}"), at - 400).contains("401"), "too old");

    let lines = judge.lines();
    let accepted: Vec<_> = lines.iter().filter(|line| line["answered"].is_null()).collect();
    let told: Vec<_> = accepted.iter().map(|line| (line["id"].as_str(), line["attempt"].as_u64(), line["accepted"].as_u64())).collect();
    assert_eq!(told, [(Some("a"), Some(1), Some(1)), (Some("a"), Some(2), Some(2)), (Some("b"), Some(2), Some(1))]);
    let answered: Vec<_> = lines.iter().filter_map(|line| line["answered"].as_u64()).collect();
    assert_eq!(answered, [0, 1, 2]);
}

#[test]
fn effects_are_written_down_before_they_are_answered() {
    let judge = Judge::start();
    let address = judge.address.as_str();
    let key = "idempotency-key: k\r\nx-job-id: j\r\n";
    assert!(ask(address, "GET", "/effect/k", "").contains("404"), "it did not happen");
    // Its client goes before the answer.
    let mut gone = TcpStream::connect(address).expect("connects");
    write!(gone, "POST /effect/hold/60000 HTTP/1.1\r\nhost: {address}\r\n{key}content-length: 2\r\n\r\n{{}}").expect("writes");
    let happened = || ask(address, "GET", "/effect/k", "").contains("200");
    while !happened() {
        std::thread::yield_now();
    }
    drop(gone);
    assert!(ask(address, "POST", "/effect/hold/0", key).contains("200"));
    assert!(ask(address, "POST", "/effect/hold/0", "x-job-id: j\r\n").contains("400"), "without a key");

    let lines = judge.lines();
    let made: Vec<_> = lines.iter().filter(|line| line["answered"].is_null()).collect();
    assert_eq!(made.len(), 2, "{lines:?}");
    for (number, line) in made.iter().enumerate() {
        let told = ["id", "job", "name", "policy"].map(|field| line[field].as_str().expect("a text"));
        assert_eq!((line["n"].as_u64(), told), (Some(number as u64), ["k", "j", "effect", "hold"]));
        assert!(line["at_ms"].as_u64().is_some_and(|at| at.abs_diff(now_secs() as u64 * 1000) < 60_000), "{line}");
    }
    let answered: Vec<_> = lines.iter().filter_map(|line| line["answered"].as_u64()).collect();
    assert_eq!(answered, [1], "the first was not answered any more");
}
