//! Reprioritize, reschedule and run now.

use std::time::Duration;

use coordination::{Nudge, Nudges};
use domain::{Class, JobId, Priority, QueueName};
use serde_json::Value;

use crate::bench::{ANY, Bench};

const SOON: Duration = Duration::from_secs(20);

async fn act(b: &Bench, job: JobId, action: &str, body: &str) -> (u16, Value) {
    let answer = b.post(&format!("/v1/jobs/{job}/{action}"), body).send().await;
    (answer.status.as_u16(), answer.json())
}

#[tokio::test]
async fn a_queued_job_waits_in_another_class() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    let class = |priority| Class { queue: QueueName::of("demo"), priority };
    assert_eq!(b.broker.depth(&class(Priority::Critical)), 0);
    let (status, shown) = act(&b, job, "reprioritize", r#"{"priority":"critical","reason":"a customer waits"}"#).await;
    assert_eq!((status, shown["priority"].as_str(), shown["state"].as_str()), (200, Some("critical"), Some("queued")), "{shown}");
    assert_eq!(b.broker.depth(&class(Priority::Critical)), 1, "the broker was told");
    let timeline = b.get(&format!("/v1/jobs/{job}/timeline")).send().await.text().to_owned();
    assert!(timeline.contains("a customer waits"), "{timeline}");
    let audit = b.get("/v1/audit?action=job.reprioritize").send().await.json();
    assert_eq!((&audit["audit"][0]["target"], audit["audit"].as_array().map(Vec::len)), (&Value::from(job.to_string()), Some(1)));
}

#[tokio::test]
async fn a_job_is_put_off_and_taken_up_again() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    let mut nudges = b.coordination.listen();
    let (status, shown) = act(&b, job, "reschedule", r#"{"delay":"2h"}"#).await;
    assert_eq!((status, shown["state"].as_str(), shown["waiting_for"].as_str()), (200, Some("waiting"), Some("time")), "{shown}");
    let due: domain::Timestamp = shown["run_at"].as_str().expect("a time").parse().expect("RFC 3339");
    let told = testkit::within("a nudge", SOON, nudges.next()).await;
    assert_eq!(told, Some(Nudge::Timer { at: due }), "whoever promotes is told");
    let (status, shown) = act(&b, job, "reschedule", r#"{"run_at":"2099-01-01T00:00:00Z"}"#).await;
    assert_eq!(status, 422, "400 days are the most: {shown}");
    let (status, shown) = act(&b, job, "run_now", r#"{"reason":"it is urgent"}"#).await;
    assert_eq!((status, shown["state"].as_str()), (200, Some("queued")), "{shown}");
    assert_eq!(b.call("POST", &format!("/v1/jobs/{job}/run_now")).send().await.status, 200, "it is so already");
    let (status, shown) = act(&b, job, "reschedule", r#"{"run_at":"2001-01-01T00:00:00Z"}"#).await;
    assert_eq!((status, shown["state"].as_str()), (200, Some("queued")), "a time that has passed means now");
}

#[tokio::test]
async fn jobs_that_run_or_have_ended_are_not_steered() {
    let b = Bench::new().await;
    let (running, dead) = (b.submitted().await, b.submitted().await);
    b.kill(dead).await;
    b.run(running).await;
    for (job, state) in [(running, "running"), (dead, "dead")] {
        for (action, body) in [("reprioritize", r#"{"priority":"low"}"#), ("reschedule", r#"{"delay":"1m"}"#), ("run_now", "{}")] {
            let (status, refused) = act(&b, job, action, body).await;
            assert_eq!(
                (status, refused["code"].as_str(), refused["state"].as_str()),
                (409, Some("illegal_transition"), Some(state)),
                "{action}"
            );
        }
    }
}

#[tokio::test]
async fn bodies_that_steer_are_strict() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    let rows = [
        ("reprioritize", "{}", "/priority"),
        ("reprioritize", r#"{"priority":"urgent"}"#, "/priority"),
        ("reprioritize", r#"{"priority":"low","x":1}"#, "/x"),
        ("reschedule", "{}", "/run_at"),
        ("reschedule", r#"{"run_at":null,"delay":null}"#, "/run_at"),
        ("reschedule", r#"{"run_at":"2026-11-20T09:00:00Z","delay":"1m"}"#, "/delay"),
        ("reschedule", r#"{"delay":"soon"}"#, "/delay"),
        ("reschedule", r#"{"delay":"401d"}"#, "/delay"),
        ("run_now", r#"{"reason":""}"#, "/reason"),
        ("run_now", r#"{"run_at":"2026-11-20T09:00:00Z"}"#, "/run_at"),
    ];
    for (action, body, pointer) in rows {
        let answer = b.post(&format!("/v1/jobs/{job}/{action}"), body).send().await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (422, "invalid_request"), "{action} {body}");
        assert_eq!(answer.pointers(), [pointer], "{action} {body}");
    }
    let shown = b.get(&format!("/v1/jobs/{job}")).send().await.json();
    assert_eq!((shown["kind"].as_str(), shown["priority"].as_str(), shown["state"].as_str()), (Some(ANY), Some("normal"), Some("queued")));
}
