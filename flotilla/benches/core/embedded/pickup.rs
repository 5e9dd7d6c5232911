//! How long from a client's send to the handler's start, at 50 jobs a second. Open loop: sends keep their times however slow answers are.

use std::collections::HashMap;
use std::time::Duration;

use flotilla::Fleet;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::noop::{Log, submission};

const EVERY: Duration = Duration::from_millis(20);
/// Sends before the measurement, so that caches and connections are warm.
const WARM_UP: usize = 50;

pub async fn measure(fleet: &Fleet, log: &Log, samples: usize) -> anyhow::Result<Value> {
    let client = fleet.client()?;
    let mut ticks = tokio::time::interval(EVERY);
    let mut sends = JoinSet::new();
    let mut sent = HashMap::new();
    for number in 0..WARM_UP + samples {
        // The time it was due, not the time we came to it: lateness of the generator counts.
        sent.insert(number, ticks.tick().await);
        let client = client.clone();
        sends.spawn(async move { client.post("/v1/jobs", &submission(number)).await });
    }
    while let Some(answer) = sends.join_next().await {
        answer??;
    }
    tokio::time::timeout(Duration::from_secs(30), log.reached(WARM_UP + samples)).await?;
    let mut histogram = Histogram::<u64>::new(3)?;
    for (number, started) in log.started().into_iter().filter(|(number, _)| *number >= WARM_UP) {
        let waited: Duration = started.saturating_duration_since(sent.get(&number).copied().unwrap_or_else(Instant::now));
        histogram.record(u64::try_from(waited.as_micros())?)?;
    }
    let ms = |quantile: f64| f64::from(u32::try_from(histogram.value_at_quantile(quantile)).unwrap_or(u32::MAX)) / 1_000.0;
    Ok(json!({ "samples": histogram.len(), "per_second": 50, "p50_ms": ms(0.5), "p90_ms": ms(0.9), "p99_ms": ms(0.99), "max_ms": ms(1.0) }))
}
