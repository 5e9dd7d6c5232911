//! `POST /v1/jobs/batch`: all or none.

use std::sync::Arc;
use std::time::Duration;

use domain::bounds::{BATCH_JOBS_MAX, BATCHES_MAX};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::bench::{ANY, Bench, MAIL};
use crate::double::{IntakeDouble, Writes};
use crate::request::Call;

fn batch(jobs: Vec<Value>) -> String {
    json!({ "jobs": jobs }).to_string()
}

fn good(n: usize) -> Value {
    json!({ "kind": ANY, "payload": n })
}

#[tokio::test]
async fn a_batch_is_taken_whole_and_answered_in_order() {
    let b = Bench::new().await;
    let jobs = vec![good(0), json!({ "kind": MAIL, "payload": { "to": "x" }, "priority": "bulk", "delay": "1h" }), good(2)];
    let answer = b.post("/v1/jobs/batch", &batch(jobs)).send().await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let lines = answer.json()["jobs"].as_array().expect("a list").clone();
    let brief: Vec<_> = lines
        .iter()
        .map(|line| (line["kind"].as_str(), line["queue"].as_str(), line["priority"].as_str(), line["state"].as_str()))
        .collect();
    assert_eq!(brief[0], (Some(ANY), Some("demo"), Some("normal"), Some("queued")));
    assert_eq!(brief[1], (Some(MAIL), Some("mail"), Some("bulk"), Some("waiting")));
    for (line, payload) in lines.iter().zip(["0", r#"{"to":"x"}"#, "2"]) {
        let read = b.get(&format!("/v1/jobs/{}", line["id"].as_str().expect("an id"))).send().await;
        assert!(read.text().contains(&format!(r#""payload":{payload}"#)), "{}", read.text());
    }
}

#[tokio::test]
async fn one_bad_item_changes_nothing_and_is_named() {
    let b = Bench::new().await;
    let rows = [
        (json!({ "kind": MAIL, "payload": {} }), "/jobs/3/payload/to", "invalid_payload"),
        (json!({ "kind": "nope", "payload": {} }), "/jobs/3/kind", "unknown_kind"),
        (json!({ "kind": ANY, "payload": 1, "tags": [""] }), "/jobs/3/tags/0", "invalid_job"),
        (json!({ "kind": ANY, "payload": 1, "unique": { "key": 1 } }), "/jobs/3/unique/key", "invalid_job"),
        (json!(7), "/jobs/3", "invalid_job"),
        (json!(null), "/jobs/3", "invalid_job"),
    ];
    for (bad, pointer, code) in rows {
        let answer = b.post("/v1/jobs/batch", &batch(vec![good(0), good(1), good(2), bad, good(4)])).send().await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (422, code), "{}", answer.text());
        assert_eq!(answer.pointers()[0], pointer);
        assert_eq!(b.jobs().await, 0);
    }
    let answer = b.post("/v1/jobs/batch", &batch((0..100).map(|_| json!({ "kind": MAIL, "payload": {} })).collect())).send().await;
    assert_eq!(answer.pointers().len(), 20, "errors are bounded");
}

#[tokio::test]
async fn the_envelope_of_a_batch_is_strict() {
    let b = Bench::new().await;
    let many = format!("{{\"jobs\":[{}1]}}", "1,".repeat(BATCH_JOBS_MAX));
    let rows = [
        ("{}", "/jobs"),
        (r#"{"jobs":{}}"#, "/jobs"),
        (r#"{"jobs":[]}"#, "/jobs"),
        (r#"{"jobs":null}"#, "/jobs"),
        (r#"{"jobs":[{}],"x":1}"#, "/x"),
        (many.as_str(), "/jobs"),
    ];
    for (body, pointer) in rows {
        let answer = b.post("/v1/jobs/batch", body).send().await;
        assert_eq!((answer.status.as_u16(), answer.pointers()), (422, vec![pointer.to_owned()]), "{body:.60} {}", answer.text());
    }
}

#[tokio::test]
async fn a_full_batch_fits() {
    let b = Bench::new().await;
    let answer = b.post("/v1/jobs/batch", &batch((0..BATCH_JOBS_MAX).map(good).collect())).send().await;
    assert_eq!(answer.status, 202, "{:.300}", answer.text());
    assert_eq!(answer.json()["jobs"].as_array().map(Vec::len), Some(BATCH_JOBS_MAX));
}

#[tokio::test]
async fn items_have_their_own_idempotency_keys() {
    let b = Bench::new().await;
    let send = |jobs: Vec<Value>| b.post("/v1/jobs/batch", &batch(jobs)).header("idempotency-key", "night").send();
    let first = send(vec![good(0), good(1)]).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (202, ""));
    let again = send(vec![good(0), good(1)]).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (202, "true"));
    let ids = |json: &Value| json["jobs"].as_array().expect("a list").iter().map(|line| line["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&first.json()), ids(&again.json()));
    assert_eq!(again.json()["jobs"][0]["idempotency_replayed"], true);
    let more = send(vec![good(0), good(1), good(2)]).await;
    assert_eq!((more.status.as_u16(), more.header("idempotency-replayed")), (202, ""), "one is new");
    assert_eq!(ids(&more.json())[..2], ids(&first.json())[..]);
    assert_eq!(b.jobs().await, 3);
    let other = send(vec![good(0), good(7), good(2), good(3)]).await;
    assert_eq!((other.status.as_u16(), other.code().as_str()), (422, "idempotency_key_reused"));
    assert!(other.json()["detail"].as_str().expect("text").contains("item 1"));
    assert_eq!(b.jobs().await, 3, "the new item was not taken");
}

#[tokio::test]
async fn lines_tell_the_state_that_the_store_gave() {
    // This process's clock is late by an hour: what it thinks is still to come is due already.
    let b = Bench::with(|parts| {
        let clock = parts.clock.clone();
        parts.clock = Arc::new(move || clock() - Duration::from_secs(3_600));
    })
    .await;
    let answer = b.post("/v1/jobs/batch", &batch(vec![json!({ "kind": ANY, "payload": 1, "delay": "30m" })])).send().await;
    let line = &answer.json()["jobs"][0];
    let read = b.get(&format!("/v1/jobs/{}", line["id"].as_str().expect("an id"))).send().await.json();
    assert_eq!((line["state"].as_str(), read["state"].as_str()), (Some("queued"), Some("queued")), "{}", answer.text());
}

#[tokio::test]
async fn new_jobs_are_counted_by_queue_and_kind() {
    let b = Bench::new().await;
    let mail = json!({ "kind": MAIL, "payload": { "to": "x" } });
    for _ in 0..2 {
        let jobs = vec![good(0), mail.clone(), good(1), good(2)];
        assert_eq!(b.post("/v1/jobs/batch", &batch(jobs)).header("idempotency-key", "n").send().await.status, 202);
    }
    let count = |queue, kind| b.metrics.jobs_accepted.with_label_values(&[queue, kind]).get();
    assert_eq!((count("demo", ANY), count("mail", MAIL)), (3, 1));
}

/// All turns are taken by batches that the store holds up; the next is told to come again.
#[tokio::test]
async fn a_batch_waits_for_its_turn_with_a_bound() {
    let (arrived, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let writes = Writes::Held { arrived: arrived.clone(), go: go.clone() };
    let b = Bench::with(|parts| parts.intake = Arc::new(IntakeDouble { inner: parts.intake.clone(), writes })).await;
    let held: Vec<_> = (0..BATCHES_MAX).map(|n| tokio::spawn(b.post("/v1/jobs/batch", &batch(vec![good(n)])).send())).collect();
    arrived.acquire_many(u32::try_from(BATCHES_MAX).expect("few")).await.expect("open").forget();
    tokio::time::pause(); // Nobody works any more: the wait's end is the next thing that happens.
    let waiting = tokio::time::timeout(Duration::from_secs(60), b.post("/v1/jobs/batch", &batch(vec![good(9)])).send());
    let answer = waiting.await.expect("bounded");
    tokio::time::resume();
    assert_eq!((answer.status.as_u16(), answer.code().as_str(), answer.header("retry-after")), (503, "busy", "1"), "{}", answer.text());
    assert!(answer.json()["hint"].is_string());
    go.add_permits(BATCHES_MAX);
    for held in held {
        assert_eq!(held.await.expect("no panic").status, 202);
    }
    assert_eq!(b.jobs().await, BATCHES_MAX, "the one that was refused left nothing");
}

fn lines(b: &Bench, text: &str) -> Call {
    b.call("POST", "/v1/jobs/batch").header("content-type", "application/x-ndjson").bytes(text.as_bytes())
}

#[tokio::test]
async fn a_job_per_line_is_the_same_as_a_list() {
    let b = Bench::new().await;
    let text = format!("{}\r\n\n  {}\n\t\n{}", good(0), json!({ "kind": MAIL, "payload": { "to": "x" }, "delay": "1h" }), good(2));
    let answer = lines(&b, &text).header("idempotency-key", "k").send().await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let jobs = answer.json()["jobs"].as_array().expect("a list").clone();
    let brief: Vec<_> = jobs.iter().map(|line| (line["kind"].as_str(), line["state"].as_str())).collect();
    assert_eq!(brief, [(Some(ANY), Some("queued")), (Some(MAIL), Some("waiting")), (Some(ANY), Some("queued"))]);
    let listed = vec![good(0), json!({ "kind": MAIL, "payload": { "to": "x" }, "delay": "1h" }), good(2)];
    let again = b.post("/v1/jobs/batch", &batch(listed)).header("idempotency-key", "k").send().await;
    assert_eq!(again.header("idempotency-replayed"), "true", "the same jobs, however they are written");
    assert_eq!(b.jobs().await, 3);
}

#[tokio::test]
async fn one_bad_line_changes_nothing_and_is_named() {
    let b = Bench::new().await;
    let many = format!("{}\n", good(1)).repeat(BATCH_JOBS_MAX + 1);
    let rows = [
        (format!("{}\n\n{}", good(0), json!({ "kind": MAIL, "payload": {} })), 422, "invalid_payload", "/jobs/1/payload/to"),
        (format!("{}\n7\n", good(0)), 422, "invalid_job", "/jobs/1"),
        ("[]\n".to_owned(), 422, "invalid_job", "/jobs/0"),
        (batch(vec![good(0)]), 422, "invalid_job", "/jobs/0/jobs"),
        (String::new(), 422, "invalid_job", "/jobs"),
        (" \n\r\n\t".to_owned(), 422, "invalid_job", "/jobs"),
        (many, 422, "invalid_job", "/jobs"),
    ];
    for (text, status, code, pointer) in rows {
        let answer = lines(&b, &text).send().await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{:.300}", answer.text());
        assert!(answer.pointers().iter().any(|named| named == pointer), "{:?}", answer.pointers());
    }
    for (text, named) in [
        (format!("{}\n\n{}x", good(0), good(1)), "line 3: "),
        (format!("{}{}", good(0), good(1)), "line 1: "),
        (format!("{}\n{{\"kind\":\n\"x\"}}", good(0)), "line 2: "),
        (format!("{}\n{}", good(0), "[".repeat(100_000)), "line 2: "),
        (format!("\u{feff}{}", good(0)), "line 1: "),
    ] {
        let answer = lines(&b, &text).send().await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "invalid_json"), "{}", answer.text());
        assert!(answer.json()["detail"].as_str().expect("text").starts_with(named), "{}", answer.text());
    }
    let invalid = b.call("POST", "/v1/jobs/batch").header("content-type", "application/x-ndjson").bytes(b"{}\n\xff").send().await;
    assert_eq!((invalid.status.as_u16(), invalid.code().as_str()), (400, "invalid_json"));
    assert_eq!(b.jobs().await, 0);
}

#[tokio::test]
async fn a_full_batch_of_lines_fits_and_only_batches_come_in_lines() {
    let b = Bench::new().await;
    let text: String = (0..BATCH_JOBS_MAX).map(|n| format!("{}\n", good(n))).collect();
    let answer = lines(&b, &text).send().await;
    assert_eq!(answer.status, 202, "{:.300}", answer.text());
    assert_eq!(answer.json()["jobs"].as_array().map(Vec::len), Some(BATCH_JOBS_MAX));
    let single =
        b.call("POST", "/v1/jobs").header("content-type", "application/x-ndjson").bytes(good(0).to_string().as_bytes()).send().await;
    assert_eq!((single.status.as_u16(), single.code().as_str()), (415, "unsupported_media_type"));
    for kind in ["text/plain", "application/x-ndjson; charset=latin1", "application/ndjson"] {
        let answer = b.call("POST", "/v1/jobs/batch").header("content-type", kind).bytes(text.as_bytes()).send().await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (415, "unsupported_media_type"), "{kind}");
        assert!(answer.json()["hint"].as_str().expect("a hint").contains("application/x-ndjson"), "{}", answer.text());
    }
}
