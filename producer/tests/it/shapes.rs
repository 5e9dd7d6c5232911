//! The bodies as people see them, reviewed as snapshots: a change here changes the API.

use producer::Needs;
use serde_json::Value;

use crate::bench::{Bench, MAIL};

/// Ids, times and request ids differ from run to run.
fn steady(mut value: Value) -> Value {
    steady_in(&mut value);
    value
}

fn steady_in(value: &mut Value) {
    match value {
        Value::String(text) if text.parse::<domain::JobId>().is_ok() => *text = "<id>".to_owned(),
        Value::String(text) if text.parse::<domain::Timestamp>().is_ok() => *text = "<time>".to_owned(),
        Value::String(text) if text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) => *text = "<trace>".to_owned(),
        Value::String(text) if text.starts_with("flt_") => *text = "<key>".to_owned(),
        Value::Array(items) => items.iter_mut().for_each(steady_in),
        Value::Object(members) => members.values_mut().for_each(steady_in),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

const FULL: &str = r#"{"kind":"mail.send","payload":{"to":"a@b.c"},"priority":"high","tags":["nightly"],"group":"g",
    "callback_url":"https://example.com/done","unique":{"key":"u"},"delay":"1h","expires_at":"2099-01-01T00:00:00Z"}"#;

#[tokio::test]
async fn a_job() {
    let b = Bench::new().await;
    let taken = b.post("/v1/jobs", FULL).send().await.json();
    let read = b.get(&format!("/v1/jobs/{}", taken["id"].as_str().expect("an id"))).send().await.json();
    insta::assert_json_snapshot!("job_accepted", steady(taken));
    insta::assert_json_snapshot!("job_read", steady(read));
    insta::assert_json_snapshot!("job_listed", steady(b.get("/v1/jobs").send().await.json()));
}

#[tokio::test]
async fn a_refusal() {
    let b = Bench::new().await;
    let answer = b.post("/v1/jobs", r#"{"kind":"mail.sned","payload":{},"timeout":"1ms"}"#).send().await;
    insta::assert_json_snapshot!("problem_with_errors", steady(answer.json()));
    insta::assert_json_snapshot!("problem_unauthorized", steady(b.get("/v1/jobs").without_key().send().await.json()));
}

#[tokio::test]
async fn the_fleet() {
    let b = Bench::new().await;
    b.submitted().await;
    insta::assert_json_snapshot!("kind", steady(b.get(&format!("/v1/kinds/{MAIL}")).send().await.json()));
    let mut queues = b.get("/v1/queues").send().await.json();
    assert!(queues["queues"][0]["oldest_age"].take().is_string(), "the one job has an age");
    queues["queues"][0]["priorities"][2]["oldest_age"].take();
    insta::assert_json_snapshot!("queues", queues);
    insta::assert_json_snapshot!("workers", steady(b.get("/v1/workers").send().await.json()));
    insta::assert_json_snapshot!("ready", b.get("/health/ready").send().await.json());
}

#[tokio::test]
async fn a_key() {
    let b = Bench::new().await;
    let made = b.post("/v1/api_keys", r#"{"name":"ci","scopes":["read"]}"#).send().await.json();
    insta::assert_json_snapshot!("api_key_created", steady(made));
}

/// The table of routes is the API's outline.
#[test]
fn routes() {
    let rows = producer::routes();
    let needs = |needs| match needs {
        Needs::Nothing => "nothing".to_owned(),
        Needs::Key => "any key".to_owned(),
        Needs::Scope(scope) => scope.to_string(),
    };
    let lines: Vec<String> = rows.iter().map(|row| format!("{:<6} {:<38} {}", row.method.as_str(), row.path, needs(row.needs))).collect();
    insta::assert_snapshot!("routes", lines.join("\n"));
}
