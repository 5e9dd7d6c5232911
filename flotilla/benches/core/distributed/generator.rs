//! Who loads the API? Tasks of this process, each with a connection of its own; bodies are made before the clock starts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use hdrhistogram::Histogram;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::http::{self, Connection};
use super::worker::{CLOCKED, NOOP, realtime_micros, submission};

pub const BATCH: usize = 1_000;
const BULK_CONNECTIONS: usize = 4;
const OPEN_LOOP_CONNECTIONS: usize = 16;

/// Where submissions go.
#[derive(Clone)]
pub struct Target {
    pub port: u16,
    pub key: String,
}

/// What one by one came to.
pub struct Singles {
    pub jobs: usize,
    pub elapsed: Duration,
    pub micros: Histogram<u64>,
}

/// Batches as requests.
pub fn batches(target: &Target, jobs: usize) -> Arc<Vec<Vec<u8>>> {
    let batch = |batch: usize| {
        let jobs: Vec<String> = (0..BATCH).map(|n| submission(NOOP, batch * BATCH + n)).collect();
        http::post("/v1/jobs/batch", &target.key, &format!("{{\"jobs\":[{}]}}", jobs.join(",")))
    };
    Arc::new((0..jobs / BATCH).map(batch).collect())
}

/// Sends all batches, and says how long that took.
pub async fn bulk(target: &Target, batches: Arc<Vec<Vec<u8>>>) -> anyhow::Result<Duration> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut connections = Vec::new();
    for _ in 0..BULK_CONNECTIONS {
        connections.push(Connection::open(target.port).await?);
    }
    let mut senders = JoinSet::new();
    let started = Instant::now();
    for mut connection in connections {
        let (batches, next) = (Arc::clone(&batches), Arc::clone(&next));
        senders.spawn(async move {
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                connection.submit(batch).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = senders.join_next().await {
        ended??;
    }
    Ok(started.elapsed())
}

/// One job per request, on so many connections, for so long.
pub async fn singles(target: &Target, connections: usize, during: Duration) -> anyhow::Result<Singles> {
    let number = Arc::new(AtomicUsize::new(0));
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(target.port).await?);
    }
    let mut senders = JoinSet::new();
    let started = Instant::now();
    for mut connection in open {
        let (target, number) = (target.clone(), Arc::clone(&number));
        senders.spawn(async move {
            let mut took = Vec::new();
            while started.elapsed() < during {
                let sent = Instant::now();
                let body = submission(NOOP, number.fetch_add(1, Ordering::Relaxed));
                connection.submit(&http::post("/v1/jobs", &target.key, &body)).await?;
                took.push(sent.elapsed());
            }
            anyhow::Ok(took)
        });
    }
    let mut micros = Histogram::new(3)?;
    while let Some(ended) = senders.join_next().await {
        for took in ended?? {
            micros.record(u64::try_from(took.as_micros())?)?;
        }
    }
    Ok(Singles { jobs: number.load(Ordering::Relaxed), elapsed: started.elapsed(), micros })
}

/// Sends `count` clocked jobs at their times, however slow answers are. Returns when each was due, on the wall clock, by its number.
pub async fn open_loop(target: &Target, count: usize, every: Duration) -> anyhow::Result<Vec<i64>> {
    let (give, take) = (Arc::new(parking_lot::Mutex::new(Vec::new())), Arc::new(Semaphore::new(OPEN_LOOP_CONNECTIONS)));
    for _ in 0..OPEN_LOOP_CONNECTIONS {
        let connection = Connection::open(target.port).await?;
        give.lock().push(connection);
    }
    let (started, started_micros) = (Instant::now(), realtime_micros());
    let mut senders = JoinSet::new();
    let mut due = Vec::with_capacity(count);
    for number in 0..count {
        let after = every * u32::try_from(number)?;
        due.push(started_micros + i64::try_from(after.as_micros())?);
        tokio::time::sleep_until(started + after).await;
        let request = http::post("/v1/jobs", &target.key, &submission(CLOCKED, number));
        let (give, take) = (Arc::clone(&give), Arc::clone(&take));
        senders.spawn(async move {
            let _turn = take.acquire_owned().await?;
            let mut connection = give.lock().pop().context("more turns than connections")?;
            connection.submit(&request).await?;
            give.lock().push(connection);
            anyhow::Ok(())
        });
    }
    while let Some(ended) = senders.join_next().await {
        ended??;
    }
    Ok(due)
}
