//! The command line against a running server.

mod acts;
mod batch;
mod dead;
mod help;
mod looking;
mod terminal;

use std::process::Output;

use serde_json::{Value, json};

use crate::process::{Home, text};

/// A job that does nothing for an hour.
pub fn delayed(home: &Home, tag: &str) -> String {
    let payload = r#"{"url":"https://example.com/","data":1}"#;
    let output = home.run(&["submit", "webhooks.deliver", "--payload", payload, "--delay", "1h", "--tag", tag]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

/// The exit code, and all that was printed.
pub fn ended(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

pub fn said(home: &Home, arguments: &[&str]) -> Value {
    let output = home.run(&[&["--json"], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_submitted_watched_listed_shown_and_retried() {
    let home = Home::new().with("FLOTILLA_WEBHOOKS_ALLOW", "127.0.0.1");
    let up = home.up();
    let receiver = testkit::receiver::Receiver::start(|_| None).await;
    let payload = format!("{{\"url\":\"{}\",\"data\":{{\"n\":1}}}}", receiver.url("/ok"));
    // The receiver trusts no secret, so the delivery is refused for good.
    let watched = home.run(&["submit", "webhooks.deliver", "--payload", &payload, "--tag", "t", "--watch"]);
    assert_eq!(watched.status.code(), Some(1), "a watched job that died is no success: {}", text(&watched.stdout));
    let listed = said(&home, &["jobs", "list", "--state", "dead", "--tag", "t"]);
    let id = listed["jobs"][0]["id"].as_str().expect("one job").to_owned();
    let shown = text(&home.run(&["jobs", "show", &id]).stdout);
    assert!(shown.contains("http_401") && shown.contains("running"), "{shown}");
    let retried = home.run(&["jobs", "retry", &id]);
    assert!(retried.status.success(), "{}", text(&retried.stderr));
    let succeeded = home.run(&["jobs", "retry", "0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f"]);
    assert_eq!(succeeded.status.code(), Some(3), "unknown: {}", text(&succeeded.stderr));
    up.stop().await;
}

/// `flotilla jobs list | head -1` ends quietly.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_who_leaves_early_is_no_reason_to_panic() {
    let home = Home::new();
    let up = home.up();
    let job = json!({ "kind": "webhooks.deliver", "delay": "1h", "payload": { "url": "https://example.com/", "data": 1 } });
    up.client.post("/v1/jobs/batch", &json!({ "jobs": vec![job; 200] })).await.expect("accepted");
    let mut listing = home.command(&["--json", "jobs", "list", "--limit", "200"]);
    let mut child = listing.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().expect("starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    up.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delayed_job_is_cancelled() {
    let home = Home::new();
    let up = home.up();
    let job = said(&home, &["submit", "webhooks.deliver", "--payload", r#"{"url":"https://example.com/","data":1}"#, "--delay", "1h"]);
    assert_eq!((&job["state"], &job["waiting_for"]), (&Value::from("waiting"), &Value::from("time")));
    let id = job["id"].as_str().expect("an id");
    let cancelled = said(&home, &["jobs", "cancel", id, "--reason", "changed my mind"]);
    assert_eq!(cancelled["state"], "cancelled");
    up.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_created_listed_and_revoked() {
    let home = Home::new();
    let up = home.up();
    let key = said(&home, &["keys", "create", "ci", "--scopes", "read"]);
    let narrow = |arguments: &[&str]| {
        let mut command = home.command(arguments);
        command.env("FLOTILLA_URL", up.client.url()).env("FLOTILLA_KEY", key["key"].as_str().expect("shown once"));
        command.output().expect("runs")
    };
    assert!(narrow(&["jobs", "list"]).status.success());
    let refused = narrow(&["submit", "webhooks.deliver", "--payload", r#"{"url":"https://example.com/","data":1}"#]);
    assert!(refused.status.code() == Some(3) && text(&refused.stderr).contains("submit"), "{}", text(&refused.stderr));
    let listed = text(&home.run(&["keys", "list"]).stdout);
    assert!(listed.contains("ci") && !listed.contains(key["key"].as_str().expect("text")), "{listed}");
    assert!(home.run(&["keys", "revoke", key["id"].as_str().expect("an id")]).status.success());
    assert_eq!(narrow(&["jobs", "list"]).status.code(), Some(3));
    up.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_says_what_is_well_and_what_is_not() {
    let home = Home::new();
    let before = home.run(&["doctor"]);
    assert!(text(&before.stdout).contains("skipped"), "nothing is there yet: {}", text(&before.stdout));
    let up = home.up();
    let well = home.run(&["doctor"]);
    assert!(
        well.status.success() && text(&well.stdout).contains("is ready") && text(&well.stdout).contains("1 alive"),
        "{}",
        text(&well.stdout)
    );
    up.stop().await;
    let down = home.run(&["doctor"]);
    assert_eq!(down.status.code(), Some(1));
    assert!(text(&down.stdout).contains("does not answer"), "{}", text(&down.stdout));
}

#[test]
fn without_a_server_the_command_line_says_how_to_start_one() {
    let output = Home::new().run(&["jobs", "list"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("flotilla up"), "{}", text(&output.stderr));
}
