//! The judging receiver as a process: it prints where it listens, and its ledger survives the one who asks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use testkit::{ChildGuard, Scratch};
use vault::WebhookSecret;

fn now_secs() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    i64::try_from(since.as_secs()).expect("fits")
}

/// Posts `body` and returns the status line.
fn post(address: &str, path: &str, id: &str, signature: &str, at: i64) -> String {
    let mut stream = TcpStream::connect(address).expect("connects");
    let head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: 2\r\n");
    write!(stream, "{head}webhook-id: {id}\r\nwebhook-timestamp: {at}\r\nwebhook-signature: {signature}\r\n\r\n{{}}").expect("writes");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn the_process_judges_and_writes_a_line_for_each_accepted_delivery() {
    let dir = Scratch::new();
    let ledger = dir.join("ledger.jsonl");
    let secret = WebhookSecret::generate().expect("random");
    let mut command = Command::new(env!("CARGO_BIN_EXE_webhook-judge"));
    command.arg(secret.to_text().as_str()).arg(&ledger).stdout(Stdio::piped());
    let mut judge = ChildGuard::spawn(&mut command);
    let out = judge.child().stdout.take().expect("piped");
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).expect("its address");
    let address = line.trim().strip_prefix("http://").expect("a URL");

    let at = now_secs();
    let signed = |id: &str| secret.sign(id, at, b"{}");
    assert!(post(address, "/ok", "a", &signed("a"), at).contains("200"));
    assert!(post(address, "/slow/10", "a", &signed("a"), at).contains("200"));
    assert!(post(address, "/fail/1", "b", &signed("b"), at).contains("503"));
    assert!(post(address, "/fail/1", "b", &signed("b"), at).contains("200"));
    assert!(post(address, "/ok", "c", &signed("a"), at).contains("401"), "another id's signature");
    assert!(post(address, "/ok", "d", &secret.sign("d", at - 400, b"{}"), at - 400).contains("401"), "too old");
    judge.kill();

    let lines: Vec<serde_json::Value> =
        std::fs::read_to_string(&ledger).expect("a ledger").lines().map(|line| serde_json::from_str(line).expect("whole lines")).collect();
    let told: Vec<_> = lines.iter().map(|line| (line["id"].as_str(), line["attempt"].as_u64(), line["accepted"].as_u64())).collect();
    assert_eq!(told, [(Some("a"), Some(1), Some(1)), (Some("a"), Some(2), Some(2)), (Some("b"), Some(2), Some(1))]);
}
