//! Who loads the API? Tasks of this process, each with a connection of its own; bodies are made before the clock starts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::bail;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::http::{self, BlockingConnection, Connection};
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

/// Sends `count` clocked jobs at their times, however slow answers are. Returns when each was sent, on the wall clock, by its number:
/// one that had to wait for the answer before it was sent when it was due.
///
/// On threads of their own, each with a connection and its share of the numbers: a runtime's timers and wake-ups would be told as the
/// fleet's.
pub async fn open_loop(target: &Target, count: usize, every: Duration) -> anyhow::Result<Vec<i64>> {
    let start = std::time::Instant::now() + every;
    let thread = |first: usize| {
        let target = target.clone();
        std::thread::spawn(move || share(&target, start, (first..count).step_by(OPEN_LOOP_CONNECTIONS), every))
    };
    let threads: Vec<_> = (0..OPEN_LOOP_CONNECTIONS).map(thread).collect();
    let sent = tokio::task::spawn_blocking(move || {
        let shares = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a sender panicked")));
        shares.collect::<anyhow::Result<Vec<_>>>()
    });
    let mut sent: Vec<(usize, i64)> = sent.await??.into_iter().flatten().collect();
    sent.sort_unstable();
    Ok(sent.into_iter().map(|(_, at)| at).collect())
}

/// What one thread sends.
#[expect(clippy::disallowed_methods, reason = "a thread that keeps a beat; there is nothing to wait for but the time")]
fn share(
    target: &Target,
    start: std::time::Instant,
    numbers: impl Iterator<Item = usize>,
    every: Duration,
) -> anyhow::Result<Vec<(usize, i64)>> {
    let mut connection = BlockingConnection::open(target.port)?;
    let mut sent = Vec::new();
    for number in numbers {
        let request = http::post("/v1/jobs", &target.key, &submission(CLOCKED, number));
        let due = start + every * u32::try_from(number)?;
        let wait = due.checked_duration_since(std::time::Instant::now());
        std::thread::sleep(wait.unwrap_or_default());
        // Still busy when it was due: the wait is the fleet's. Else the operating system's timer is late, which is not.
        let late = if wait.is_some() { Duration::ZERO } else { due.elapsed() };
        sent.push((number, realtime_micros() - i64::try_from(late.as_micros())?));
        connection.submit(&request)?;
    }
    Ok(sent)
}
