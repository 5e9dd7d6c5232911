//! From a submission over HTTP to a signed delivery, through every part of the process.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::receiver::Receiver;
use vault::WebhookSecret;

use crate::process::{Home, SOON, Up, until_ended};

struct Stage {
    home: Home,
    up: Up,
    receiver: Receiver,
}

/// A fleet and a receiver that trusts its tenant's default endpoint.
async fn stage() -> Stage {
    let home = Home::new().with("FLOTILLA_WEBHOOKS_ALLOW", "127.0.0.1");
    let up = home.up();
    let made = up.client.post("/v1/webhook_endpoints", &json!({ "name": "default" })).await.expect("made").body;
    let secret: WebhookSecret = made["secret"].as_str().expect("shown").parse().expect("a secret");
    Stage { home, up, receiver: Receiver::with_secret(secret).await }
}

impl Stage {
    async fn submit(&self, job: &Value) -> String {
        let job = self.up.client.post("/v1/jobs", job).await.expect("accepted").body;
        job["id"].as_str().expect("an id").to_owned()
    }

    async fn ended(&self, id: &str) -> Value {
        testkit::within(&format!("{id} ends"), SOON, until_ended(&self.up.client, id)).await.expect("answered")
    }
}

/// What was accepted is sent as it was submitted, byte for byte, signed, once, under the job's id.
#[tokio::test]
async fn a_delivery_arrives_as_it_was_submitted() {
    let stage = stage().await;
    let data = r#"{ "b" : 1.0,"a":[12345678901234567890123, "\u0000é"],  "a":null }"#;
    let body = format!(r#"{{"kind":"webhooks.deliver","payload":{{"url":"{}","data":{data}}}}}"#, stage.receiver.url("/ok"));
    let job = stage.up.client.post_text("/v1/jobs", body, None).await.expect("accepted").body;
    let id = job["id"].as_str().expect("an id");
    assert_eq!(stage.ended(id).await["state"], "succeeded");
    let entry = stage.receiver.ledger().entry(id).expect("the webhook id is the job's");
    assert_eq!((entry.attempts, entry.accepted, entry.bad_signatures), (1, 1, 0));
    assert_eq!(entry.last.body, data.as_bytes());
    stage.up.stop().await;
}

/// The trace of the request is passed on to the receiver.
#[tokio::test]
async fn a_trace_runs_through() {
    let stage = stage().await;
    let id = stage.submit(&json!({ "kind": "webhooks.deliver", "payload": { "url": stage.receiver.url("/ok"), "data": 1 } })).await;
    let job = stage.ended(&id).await;
    let sent = stage.receiver.ledger().entry(&id).expect("delivered").last.header("traceparent").to_owned();
    assert!(sent.contains(job["trace_id"].as_str().expect("a trace")), "{sent}");
    stage.up.stop().await;
}

/// I6: whatever fails on the way, each attempt carries the same webhook id, and one is accepted.
#[tokio::test]
async fn a_flaky_receiver_gets_it_in_the_end() {
    let stage = stage().await;
    let id = stage
        .submit(&json!({ "kind": "webhooks.deliver", "payload": { "url": stage.receiver.url("/fail/1?retry_after=1"), "data": 1 } }))
        .await;
    let job = stage.ended(&id).await;
    assert_eq!((&job["state"], &job["attempt"]), (&json!("succeeded"), &json!(2)));
    let entry = stage.receiver.ledger().entry(&id).expect("delivered");
    assert_eq!((entry.attempts, entry.accepted), (2, 1));
    stage.up.stop().await;
}

#[tokio::test]
async fn a_callback_tells_that_a_job_died() {
    let stage = stage().await;
    let id = stage
        .submit(&json!({
            "kind": "webhooks.deliver",
            "payload": { "url": stage.receiver.url("/status/400"), "data": 1 },
            "callback_url": stage.receiver.url("/ok"),
        }))
        .await;
    assert_eq!(stage.ended(&id).await["state"], "dead");
    stage.receiver.ledger().until(|totals| totals.accepted >= 1).await;
    let entries = stage.receiver.ledger().entries();
    let told = entries.values().find(|entry| entry.accepted == 1).expect("the callback");
    let told: Value = serde_json::from_slice(&told.last.body).expect("JSON");
    assert_eq!((&told["type"], &told["data"]["id"]), (&json!("job.dead"), &json!(id)));
    stage.up.stop().await;
}

/// The guard: what no setting allows is refused for good, and the reason says so.
#[tokio::test]
async fn private_addresses_are_refused_unless_a_setting_allows_them() {
    let home = Home::new();
    let up = home.up();
    for url in ["http://127.0.0.1:9/", "https://2130706433/", "https://[::ffff:10.0.0.1]/", "http://169.254.169.254/latest/meta-data/"] {
        let job = up
            .client
            .post("/v1/jobs", &json!({ "kind": "webhooks.deliver", "payload": { "url": url, "data": 1 } }))
            .await
            .expect("accepted")
            .body;
        let id = job["id"].as_str().expect("an id");
        let ended = testkit::within("it ends", SOON, until_ended(&up.client, id)).await.expect("answered");
        assert_eq!((&ended["state"], &ended["error"]["code"]), (&json!("dead"), &json!("target_refused")), "{url}: {ended:#}");
    }
    up.stop().await;
}

/// SIGTERM: what runs may finish; what does not is handed back, and the next start runs it.
#[tokio::test]
async fn a_drain_hands_back_and_the_next_start_goes_on() {
    let mut stage = stage().await;
    let id = stage.submit(&json!({ "kind": "webhooks.deliver", "payload": { "url": stage.receiver.url("/slow/2000"), "data": 1 } })).await;
    testkit::eventually("it runs", SOON, async || stage.receiver.ledger().entry(&id).is_some()).await;
    stage.up.child.terminate();
    let status = stage.up.child.end(SOON * 2).await;
    assert_eq!(status.code(), Some(0), "{}", stage.home.said());
    let up = stage.home.up();
    let job = testkit::within("it has ended", SOON, until_ended(&up.client, &id)).await.expect("answered");
    assert_eq!((&job["state"], &job["attempt"]), (&json!("succeeded"), &json!(1)));
    assert!(stage.receiver.ledger().entry(&id).expect("delivered").accepted >= 1);
    let (code, said) = up.stop().await;
    assert!(code == Some(0) && said.contains("drained"), "{said}");
}

/// An accepted job runs however often the process is stopped in between; its due time is kept.
#[tokio::test]
async fn a_delayed_job_survives_a_restart() {
    let stage = stage().await;
    let id = stage
        .submit(&json!({ "kind": "webhooks.deliver", "delay": "2s", "payload": { "url": stage.receiver.url("/ok"), "data": 1 } }))
        .await;
    stage.up.stop().await;
    let up = stage.home.up();
    let job = testkit::within("it has ended", SOON, until_ended(&up.client, &id)).await.expect("answered");
    let time = |name: &str| job[name].as_str().expect("a time").parse::<domain::Timestamp>().expect("RFC 3339");
    // Due two seconds after it was accepted, give or take the commit; started when due, not earlier.
    assert!(time("run_at").since(time("created_at")) >= Duration::from_millis(1_500), "{job:#}");
    assert!(time("started_at") >= time("run_at"), "{job:#}");
    up.stop().await;
}
