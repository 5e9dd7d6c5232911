//! When what the API stands on is away: what the caller is told, and what happens to the job.

use std::sync::Arc;
use std::time::Duration;

use coordination::{Nudge, Nudges};
use serde_json::json;
use store::StoreError;
use tokio::sync::Semaphore;

use crate::bench::{ANY, Bench};
use crate::double::{Broken, IntakeDouble, Writes};

fn body() -> String {
    json!({ "kind": ANY, "payload": 1 }).to_string()
}

async fn refusing(error: fn() -> StoreError) -> Bench {
    Bench::with(|parts| parts.intake = Arc::new(IntakeDouble { inner: parts.intake.clone(), writes: Writes::Refused(error) })).await
}

#[tokio::test]
async fn store_errors_are_told_by_what_the_caller_can_do() {
    type Case = (fn() -> StoreError, u16, &'static str, &'static str);
    let rows: [Case; 3] = [
        (|| StoreError::Unavailable { doing: "recording jobs", source: "s3cret".into() }, 503, "store_unavailable", "1"),
        (|| StoreError::Full { doing: "recording jobs", source: "s3cret".into() }, 503, "store_full", "60"),
        (|| StoreError::Broken { doing: "recording jobs", source: "s3cret".into() }, 500, "internal", ""),
    ];
    for (error, status, code, retry_after) in rows {
        let b = refusing(error).await;
        let batch = json!({ "jobs": [{ "kind": ANY, "payload": 1 }] }).to_string();
        let id = b.mint.job(store::Store::now(&*b.store));
        let (cancel, retry) = (format!("/v1/jobs/{id}/cancel"), format!("/v1/jobs/{id}/retry"));
        for (path, body) in [("/v1/jobs", body().as_str()), ("/v1/jobs/batch", &batch), (&cancel, "{}"), (&retry, "{}")] {
            let answer = b.post(path, body).send().await;
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str(), answer.header("retry-after")),
                (status, code, retry_after),
                "{path}"
            );
            assert!(!answer.text().contains("s3cret"), "causes are for the log");
        }
        assert_eq!(b.jobs().await, 0);
    }
}

#[tokio::test]
async fn nothing_that_reads_fails_otherwise_than_with_503_when_the_store_is_away() {
    let b = Bench::new().await;
    b.get("/v1/whoami").send().await;
    b.store.close().await;
    for path in ["/v1/jobs", "/v1/kinds", "/v1/queues", "/v1/workers", "/v1/audit", "/v1/api_keys", "/v1/webhook_endpoints"] {
        let answer = b.get(path).send().await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str(), answer.header("retry-after")),
            (503, "store_unavailable", "1"),
            "{path}"
        );
    }
    let ready = b.get("/health/ready").send().await;
    assert_eq!((ready.status.as_u16(), ready.json()["dependencies"][0]["state"].as_str()), (503, Some("unavailable")));
    assert_eq!(b.get("/health/live").send().await.status, 200, "alive is not ready");
    assert_eq!(b.get("/metrics").send().await.status, 200, "metrics are wanted most when something is away");
}

#[tokio::test]
async fn without_a_broker_jobs_are_taken_all_the_same() {
    for broken in [Broken::Away, Broken::Full, Broken::Hanging] {
        let b = Bench::with(|parts| parts.publisher = Arc::new(broken)).await;
        let mut nudges = b.coordination.listen();
        let answer = b.post("/v1/jobs", &body()).send().await;
        assert_eq!(answer.status, 202, "{broken:?}");
        assert_eq!(nudges.next().await, Some(Nudge::Emissions), "{broken:?}: the upkeep is told to send it");
        let ready = b.get("/health/ready").send().await;
        let state = if broken == Broken::Away { "unavailable" } else { "ok" };
        assert_eq!((ready.status.as_u16(), ready.json()["dependencies"][1]["state"].as_str()), (200, Some(state)), "{broken:?}");
    }
}

#[tokio::test]
async fn readiness_goes_before_the_process_does() {
    let b = Bench::new().await;
    let ready = b.get("/health/ready").without_key().send().await;
    assert_eq!((ready.status.as_u16(), ready.json()["status"].as_str()), (200, Some("ready")));
    b.stopping.cancel();
    let ready = b.get("/health/ready").send().await;
    assert_eq!((ready.status.as_u16(), ready.json()["status"].as_str()), (503, Some("stopping")));
    assert_eq!(b.post("/v1/jobs", &body()).send().await.status, 202, "requests are still answered");
}

/// A caller that hangs up between the commit and the hint must not strand its job.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_hangs_up_still_gets_its_job_announced() {
    let (arrived, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let writes = Writes::Held { arrived: arrived.clone(), go: go.clone() };
    let b = Bench::with(|parts| parts.intake = Arc::new(IntakeDouble { inner: parts.intake.clone(), writes })).await;
    let request = tokio::spawn(b.post("/v1/jobs", &body()).send());
    arrived.acquire().await.expect("open").forget();
    request.abort();
    assert!(request.await.is_err_and(|error| error.is_cancelled()));
    go.add_permits(1);
    let class = domain::Class { queue: domain::QueueName::of("demo"), priority: domain::Priority::Normal };
    testkit::eventually("the broker knows the job", Duration::from_secs(10), async || b.broker.depth(&class) == 1).await;
    assert_eq!(b.jobs().await, 1);
}

#[tokio::test]
async fn a_panic_is_a_500_with_its_request_id() {
    let b = Bench::with(|parts| {
        let clock = parts.clock.clone();
        let calls = std::sync::atomic::AtomicUsize::new(0);
        // The second look at the clock, inside the handler, goes wrong.
        parts.clock = Arc::new(move || {
            assert!(calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0, "planned");
            clock()
        });
    })
    .await;
    let answer = b.post("/v1/jobs", &body()).header("x-request-id", "req-1").send().await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (500, "internal"));
    assert_eq!(answer.header("x-request-id"), "req-1");
}
