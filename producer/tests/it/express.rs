//! Which jobs take the express lane, and does the broker get them as well?

use std::sync::Arc;
use std::time::Duration;

use coordination::{Express, ExpressHint, InProcess};
use domain::{Class, JobId, Priority, QueueName};
use store::Store;

use crate::bench::{ANY, Bench};

const SOON: Duration = Duration::from_secs(30);

/// A lane, and a bench that uses it.
async fn bench() -> (Arc<InProcess>, Bench) {
    let lane = Arc::new(InProcess::default());
    let offered_to = Arc::clone(&lane);
    (lane, Bench::with(|parts| parts.express = Some(offered_to)).await)
}

/// What was offered in the queue `demo`, in order, without waiting for more.
async fn offered(lane: &InProcess) -> Vec<ExpressHint> {
    let stop = lane.stop(&[QueueName::of("demo")]);
    let mut hints = Vec::new();
    while let Ok(hint) = tokio::time::timeout(Duration::ZERO, stop.take()).await {
        hints.push(hint);
    }
    hints
}

fn jobs(hints: &[ExpressHint]) -> Vec<JobId> {
    hints.iter().flat_map(|hint| hint.emission.jobs.clone()).collect()
}

async fn depth(bench: &Bench, depth: usize) {
    let class = Class { queue: QueueName::of("demo"), priority: Priority::Normal };
    testkit::eventually("the broker has them all", SOON, async || bench.broker.depth(&class) == depth).await;
}

#[tokio::test]
async fn a_lone_job_is_offered_and_reaches_the_broker_as_well() {
    let (lane, bench) = bench().await;
    let id = bench.submitted().await;
    let hints = offered(&lane).await;
    assert_eq!(jobs(&hints), [id]);
    assert!(hints[0].at <= bench.store.now());
    depth(&bench, 1).await;
    assert_eq!(bench.metrics.express_hints.with_label_values(&["offered"]).get(), 1);
}

/// Neither a batch, nor what waits for its time, nor a job that somebody runs again.
#[tokio::test]
async fn only_lone_jobs_that_are_new_are_offered() {
    let (lane, bench) = bench().await;
    let job = format!(r#"{{"kind":"{ANY}","payload":{{}}}}"#);
    let batch = |count: usize| format!(r#"{{"jobs":[{}]}}"#, vec![job.as_str(); count].join(","));
    assert_eq!(bench.post("/v1/jobs/batch", &batch(5)).send().await.status, 202);
    let later = format!(r#"{{"kind":"{ANY}","payload":{{}},"delay":"1h"}}"#);
    let later = bench.post("/v1/jobs", &later).send().await;
    assert_eq!(later.status, 202, "{}", later.text());
    assert_eq!(offered(&lane).await, []);
    let id = later.json()["id"].as_str().expect("an id").to_owned();
    let run = bench.post(&format!("/v1/jobs/{id}/run_now"), "{}").send().await;
    assert_eq!(run.status, 200, "{}", run.text());
    assert_eq!(offered(&lane).await, []);
    depth(&bench, 6).await;
    assert_eq!(bench.post("/v1/jobs/batch", &batch(4)).send().await.status, 202);
    assert_eq!(jobs(&offered(&lane).await).len(), 4, "so few are lone");
}

/// Under load an offer would only be work done twice.
#[tokio::test]
async fn nothing_is_offered_in_a_rush() {
    let (lane, bench) = bench().await;
    let job = format!(r#"{{"kind":"{ANY}","payload":{{}}}}"#);
    let batch = format!(r#"{{"jobs":[{}]}}"#, vec![job.as_str(); 100].join(","));
    assert_eq!(bench.post("/v1/jobs/batch", &batch).send().await.status, 202);
    // Whether a single one counts as lone after this depends on how soon it comes; what was many does not.
    assert_eq!(offered(&lane).await, []);
    depth(&bench, 100).await;
}
