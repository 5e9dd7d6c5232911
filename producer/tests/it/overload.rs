//! More than can be done: what is too much is refused at once, memory stays where it is, and all is well again afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::bounds::{BODIES_BYTES_MAX, PAYLOAD_BYTES_MAX};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::bench::{ANY, Bench};
use crate::double::{IntakeDouble, Writes};
use crate::request::Answer;

const PATIENCE: Duration = Duration::from_secs(60);
const SUBMITTERS: usize = 5_000;

/// A bench whose store stalls until the permits of `go` are there.
async fn stalled(requests_max: usize) -> (Bench, Arc<Semaphore>, Arc<Semaphore>) {
    let (arrived, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let writes = Writes::Held { arrived: arrived.clone(), go: go.clone() };
    let bench = Bench::with(|parts| {
        parts.edge.requests_max = requests_max;
        parts.intake = Arc::new(IntakeDouble { inner: parts.intake.clone(), writes });
    })
    .await;
    (bench, arrived, go)
}

fn shed(b: &Bench, why: &str) -> u64 {
    b.metrics.http_shed.with_label_values(&[why]).get()
}

async fn next(answers: &mut JoinSet<Answer>) -> Answer {
    tokio::time::timeout(PATIENCE, answers.join_next()).await.expect("in time").expect("there is one").expect("no panic")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_submitters_at_a_stalled_store_are_bounded_and_told() {
    const INSIDE: usize = 500;
    let (b, arrived, go) = stalled(INSIDE).await;
    let body = format!(r#"{{"kind":"{ANY}","payload":"{}"}}"#, "x".repeat(10_000));
    let before = telemetry::resident_bytes().expect("/proc");
    let started = Instant::now();
    let mut answers: JoinSet<Answer> = (0..SUBMITTERS).map(|_| b.post("/v1/jobs", &body).send()).collect();
    for _ in 0..SUBMITTERS - INSIDE {
        let answer = next(&mut answers).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str(), answer.header("retry-after")), (503, "overloaded", "1"));
    }
    assert!(started.elapsed() < Duration::from_secs(30), "they were told at once: {:?}", started.elapsed());
    let held = tokio::time::timeout(PATIENCE, arrived.acquire_many(u32::try_from(INSIDE).expect("few"))).await;
    held.expect("in time").expect("open").forget();
    assert_eq!(b.metrics.http_in_work.get(), i64::try_from(INSIDE).expect("few"));
    assert_eq!(shed(&b, "requests"), u64::try_from(SUBMITTERS - INSIDE).expect("few"));
    // Their requests are in this process, too: 5 000 of 10 kB. What is let in adds a few copies of its own.
    let grown = (telemetry::resident_bytes().expect("/proc") - before) / (1024 * 1024);
    assert!(grown < 200, "{grown} MiB");
    let live = b.get("/health/live").send().await;
    assert_eq!(live.status, 200, "those who ask how it is are answered");
    go.add_permits(SUBMITTERS);
    for _ in 0..INSIDE {
        assert_eq!(next(&mut answers).await.status, 202);
    }
    testkit::eventually("all places are free", PATIENCE, async || b.metrics.http_in_work.get() == 0).await;
    assert_eq!(b.post("/v1/jobs", &body).send().await.status, 202, "and all is well again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bytes_of_bodies_are_bounded_together() {
    let (b, arrived, go) = stalled(2_048).await;
    let body = format!(r#"{{"kind":"{ANY}","payload":"{}"}}"#, "x".repeat(PAYLOAD_BYTES_MAX - 2));
    let fit = BODIES_BYTES_MAX / body.len();
    let mut answers = JoinSet::new();
    for _ in 0..fit {
        answers.spawn(b.post("/v1/jobs", &body).send());
        tokio::time::timeout(PATIENCE, arrived.acquire()).await.expect("in time").expect("open").forget();
    }
    let refused = tokio::time::timeout(PATIENCE, b.post("/v1/jobs", &body).send()).await.expect("at once");
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (503, "overloaded"));
    assert_eq!((shed(&b, "bodies"), refused.header("connection")), (1, "close"), "the rest of its body is not wanted");
    go.add_permits(fit + 1);
    while !answers.is_empty() {
        assert_eq!(next(&mut answers).await.status, 202);
    }
    assert_eq!(b.post("/v1/jobs", &body).send().await.status, 202);
}

/// Callers that hang up make no room as long as their work goes on: hanging up is no way around the bound.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_without_a_caller_still_takes_its_place() {
    let (b, arrived, go) = stalled(16).await;
    for _ in 0..16 {
        let caller = tokio::spawn(b.post("/v1/jobs", &format!(r#"{{"kind":"{ANY}","payload":1}}"#)).send());
        tokio::time::timeout(PATIENCE, arrived.acquire()).await.expect("in time").expect("open").forget();
        caller.abort();
        assert!(caller.await.is_err_and(|error| error.is_cancelled()));
    }
    assert_eq!(b.get("/v1/whoami").send().await.code(), "overloaded", "they are gone, and their work is not");
    go.add_permits(16);
    testkit::eventually("all places are free", PATIENCE, async || b.metrics.http_in_work.get() == 0).await;
    assert_eq!((b.get("/v1/whoami").send().await.status.as_u16(), b.jobs().await), (200, 16));
}
