//! Submission rates, one by one and in bulk, with the same process running the jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flotilla::Fleet;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::noop::{Log, submission};

const SINGLE_CONNECTIONS: usize = 64;
const BULK_CONNECTIONS: usize = 4;
const BATCH: usize = 1_000;
/// Everything submitted must have run by then.
const DRAIN_DEADLINE: Duration = Duration::from_secs(120);

/// One job per request on 64 connections.
pub async fn single(fleet: &Fleet, log: &Log, secs: u64) -> anyhow::Result<Value> {
    let client = fleet.client()?;
    let number = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let until = started + Duration::from_secs(secs);
    let mut connections = JoinSet::new();
    for _ in 0..SINGLE_CONNECTIONS {
        let (client, number) = (client.clone(), Arc::clone(&number));
        connections.spawn(async move {
            let mut took = Vec::new();
            while Instant::now() < until {
                let sent = Instant::now();
                client.post("/v1/jobs", &submission(number.fetch_add(1, Ordering::Relaxed))).await?;
                took.push(sent.elapsed());
            }
            anyhow::Ok(took)
        });
    }
    let mut histogram = Histogram::<u64>::new(3)?;
    while let Some(took) = connections.join_next().await {
        for took in took?? {
            histogram.record(u64::try_from(took.as_micros())?)?;
        }
    }
    let elapsed = started.elapsed().as_secs_f64();
    let jobs = number.load(Ordering::Relaxed);
    tokio::time::timeout(DRAIN_DEADLINE, log.reached(jobs)).await?;
    let rate = whole(f64::from(u32::try_from(jobs)?) / elapsed);
    let p99_ms = f64::from(u32::try_from(histogram.value_at_quantile(0.99))?) / 1_000.0;
    Ok(json!({ "connections": SINGLE_CONNECTIONS, "jobs": jobs, "accepted_per_second": rate, "p99_ms": p99_ms }))
}

/// Batches of 1000 on four connections, and the drain that runs beside it.
pub async fn bulk(fleet: &Fleet, log: &Log, jobs: usize) -> anyhow::Result<Value> {
    let client = fleet.client()?;
    // Made before the clock starts: the generator is not what is measured.
    let batches: Vec<Value> =
        (0..jobs / BATCH).map(|batch| json!({ "jobs": (0..BATCH).map(|n| submission(batch * BATCH + n)).collect::<Vec<_>>() })).collect();
    let batches = Arc::new(batches);
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut connections = JoinSet::new();
    for _ in 0..BULK_CONNECTIONS {
        let (client, batches, next) = (client.clone(), Arc::clone(&batches), Arc::clone(&next));
        connections.spawn(async move {
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                client.post("/v1/jobs/batch", batch).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = connections.join_next().await {
        ended??;
    }
    let submitted = started.elapsed().as_secs_f64();
    tokio::time::timeout(DRAIN_DEADLINE, log.reached(jobs)).await?;
    let drained = started.elapsed().as_secs_f64();
    anyhow::ensure!(log.count() == jobs, "{} of {jobs} jobs ran", log.count());
    let n = f64::from(u32::try_from(jobs)?);
    Ok(json!({ "jobs": jobs, "accepted_per_second": whole(n / submitted), "end_to_end_per_second": whole(n / drained) }))
}

/// A rate is no better than its first digits.
fn whole(rate: f64) -> f64 {
    rate.round()
}
