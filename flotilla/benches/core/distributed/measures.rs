//! What is measured, one after the other. Each measure says how busy the machine was before it and who used the processor.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::cpu::{self, Usage};
use super::database::Verdict;
use super::fleet::Fleet;
use super::generator::{self, BATCH};
use super::worker::realtime_micros;
use crate::{Effort, report};

const JOBS: usize = 100_000;
const WARM_UP_JOBS: usize = 20_000;
const SLOTS: u32 = 1_000;
const PICKUP_SLOTS: u32 = 10;
const PICKUP_EVERY: Duration = Duration::from_millis(20);
/// Not counted: caches and connections are made warm.
const PICKUP_WARM_UP: usize = 100;
const PICKUP_SAMPLES: usize = 1_500;
const SINGLE_SECS: u64 = 5;
/// Long enough for every duty to have run several times.
const IDLE: Duration = Duration::from_secs(15);
/// The producer looks at the pace of its queues every two seconds.
const PACE_KNOWN: Duration = Duration::from_secs(3);
const DRAINED_WITHIN: Duration = Duration::from_secs(180);

/// One figure's circumstances.
struct Meter {
    load: f64,
    usage: Usage,
}

impl Meter {
    fn start(fleet: &Fleet<'_>) -> Self {
        Self { load: report::load(), usage: fleet.usage() }
    }

    fn stop(self, fleet: &Fleet<'_>, figures: Value) -> Value {
        let mut told = json!({ "load_before": self.load, "cpu_secs": cpu::between(&self.usage, &fleet.usage()) });
        if let (Value::Object(told), Value::Object(figures)) = (&mut told, figures) {
            told.extend(figures);
        }
        told
    }
}

/// What processes that have nothing to do keep in memory.
pub async fn idle(fleet: &mut Fleet<'_>) -> anyhow::Result<Value> {
    let webhooks = fleet.webhooks_worker().await?;
    // As large as those of the load: messages are packed by the workers that were there last.
    fleet.add_worker(SLOTS).await?;
    let meter = Meter::start(fleet);
    tokio::time::sleep_until(Instant::now() + IDLE).await;
    let mut resident: BTreeMap<&str, f64> = fleet.resident("VmRSS")?.into_iter().collect();
    resident.insert("webhooks_worker", cpu::resident(webhooks.pid, "VmRSS")?);
    let figures = meter.stop(fleet, json!({ "rss_mib": resident, "secs": IDLE.as_secs() }));
    webhooks.stop().await?;
    fleet.stop_workers().await?;
    Ok(figures)
}

/// Statements are planned, connections made, and the pace of the queue becomes known.
pub async fn warm_up(fleet: &mut Fleet<'_>, effort: Effort) -> anyhow::Result<()> {
    let mark = fleet.database.mark().await?;
    fleet.add_worker(SLOTS).await?;
    let jobs = if effort.quick { WARM_UP_JOBS / 10 } else { WARM_UP_JOBS };
    generator::bulk(&fleet.target, generator::batches(&fleet.target, jobs)).await?;
    let singles = generator::singles(&fleet.target, 64, Duration::from_secs(1)).await?;
    let jobs = u64::try_from(jobs + singles.jobs)?;
    fleet.has_settled(jobs, DRAINED_WITHIN).await?;
    fleet.database.all_succeeded(&mark, jobs, DRAINED_WITHIN).await?;
    tokio::time::sleep_until(Instant::now() + PACE_KNOWN).await;
    fleet.stop_workers().await
}

/// Everything that is repeated.
pub async fn round(fleet: &mut Fleet<'_>, effort: Effort) -> anyhow::Result<Value> {
    let jobs = if effort.quick { JOBS / 10 } else { JOBS };
    let (bulk, drain_one) = bulk_then_drain(fleet, jobs, 1).await?;
    let (_, drain_two) = bulk_then_drain(fleet, jobs, 2).await?;
    let during = Duration::from_secs(if effort.quick { 1 } else { SINGLE_SECS });
    let mark = fleet.database.mark().await?;
    let (few, few_jobs) = singles(fleet, 64, during).await?;
    let (many, many_jobs) = singles(fleet, 256, during).await?;
    let drain_singles = drain(fleet, 1, &mark, few_jobs + many_jobs).await?;
    let together = together(fleet, jobs).await?;
    Ok(json!({
        "bulk": bulk, "drain_1": drain_one, "drain_2": drain_two, "single_64": few, "single_256": many,
        "drain_singles": drain_singles, "together": together,
    }))
}

/// Batches with nobody who runs them; then workers are started.
async fn bulk_then_drain(fleet: &mut Fleet<'_>, jobs: usize, workers: usize) -> anyhow::Result<(Value, Value)> {
    let mark = fleet.database.mark().await?;
    let batches = generator::batches(&fleet.target, jobs);
    let meter = Meter::start(fleet);
    let elapsed = generator::bulk(&fleet.target, batches).await?;
    let emissions = fleet.database.emissions().await?;
    let figures = json!({
        "jobs": jobs, "batch": BATCH, "per_second": rate(jobs, elapsed), "messages": emissions,
        "rss_peak_mib": by_role(&fleet.resident("VmHWM")?),
    });
    let bulk = meter.stop(fleet, figures);
    let verdict = fleet.database.verdict(&mark).await?;
    ensure!(verdict.queued == u64::try_from(jobs)? && verdict.jobs == verdict.queued, "not all of {jobs} jobs are queued: {verdict:?}");
    let drained = drain(fleet, workers, &mark, jobs).await?;
    Ok((bulk, drained))
}

/// Starts workers, and stops them when everything since the mark has succeeded.
async fn drain(fleet: &mut Fleet<'_>, workers: usize, mark: &super::database::Mark, jobs: usize) -> anyhow::Result<Value> {
    let messages = fleet.database.emissions().await?;
    let meter = Meter::start(fleet);
    if workers == 2 {
        fleet.add_two_workers(SLOTS).await?;
    } else {
        fleet.add_worker(SLOTS).await?;
    }
    let count = u64::try_from(jobs)?;
    fleet.has_settled(count, DRAINED_WITHIN).await?;
    let resident = by_role(&fleet.resident("VmHWM")?);
    let drained = meter.stop(fleet, Value::Null);
    let verdict = fleet.database.all_succeeded(mark, count, DRAINED_WITHIN).await?;
    fleet.stop_workers().await?;
    let mut told = json!({
        "jobs": jobs, "messages": messages, "per_second": drain_rate(&verdict), "secs": drain_secs(&verdict), "rss_peak_mib": resident,
    });
    if let (Value::Object(told), Value::Object(drained)) = (&mut told, drained) {
        told.extend(drained);
    }
    Ok(told)
}

/// One by one with nobody who runs them.
async fn singles(fleet: &mut Fleet<'_>, connections: usize, during: Duration) -> anyhow::Result<(Value, usize)> {
    let meter = Meter::start(fleet);
    let singles = generator::singles(&fleet.target, connections, during).await?;
    let figures = json!({
        "connections": connections, "jobs": singles.jobs, "per_second": rate(singles.jobs, singles.elapsed),
        "p50_ms": ms(&singles.micros, 0.5), "p99_ms": ms(&singles.micros, 0.99), "rss_peak_mib": by_role(&fleet.resident("VmHWM")?),
    });
    Ok((meter.stop(fleet, figures), singles.jobs))
}

/// Bulk submission beside a worker, from the first send to the last end.
async fn together(fleet: &mut Fleet<'_>, jobs: usize) -> anyhow::Result<Value> {
    let mark = fleet.database.mark().await?;
    fleet.add_worker(SLOTS).await?;
    let batches = generator::batches(&fleet.target, jobs);
    let meter = Meter::start(fleet);
    let began = realtime_micros();
    let accepted = generator::bulk(&fleet.target, batches).await?;
    let count = u64::try_from(jobs)?;
    fleet.has_settled(count, DRAINED_WITHIN).await?;
    let told = meter.stop(fleet, Value::Null);
    let verdict = fleet.database.all_succeeded(&mark, count, DRAINED_WITHIN).await?;
    fleet.stop_workers().await?;
    let took = Duration::from_micros(u64::try_from(verdict.last_finished - began)?);
    let mut figures = json!({ "jobs": jobs, "per_second": rate(jobs, took), "accepted_per_second": rate(jobs, accepted) });
    if let (Value::Object(figures), Value::Object(told)) = (&mut figures, told) {
        figures.extend(told);
    }
    Ok(figures)
}

/// From the time a send began to the first line of its handler, and the stages between.
pub async fn pickup(fleet: &mut Fleet<'_>, effort: Effort) -> anyhow::Result<Value> {
    fleet.add_worker(PICKUP_SLOTS).await?;
    let mark = fleet.database.mark().await?;
    let samples = if effort.quick { PICKUP_SAMPLES / 10 } else { PICKUP_SAMPLES };
    let meter = Meter::start(fleet);
    let sent = generator::open_loop(&fleet.target, PICKUP_WARM_UP + samples, PICKUP_EVERY).await?;
    let count = u64::try_from(sent.len())?;
    fleet.has_settled(count, DRAINED_WITHIN).await?;
    let told = meter.stop(fleet, Value::Null);
    fleet.database.all_succeeded(&mark, count, DRAINED_WITHIN).await?;
    let clocked = fleet.database.clocked(&mark).await?;
    fleet.stop_workers().await?;
    let mut whole = Histogram::<u64>::new(3)?;
    let mut stages = [Histogram::<u64>::new(3)?, Histogram::new(3)?, Histogram::new(3)?];
    for job in clocked.into_iter().filter(|job| job.number >= PICKUP_WARM_UP) {
        let sent = sent[job.number];
        whole.record(u64::try_from(job.handled - sent)?)?;
        for (stage, took) in stages.iter_mut().zip([job.recorded - sent, job.claimed - job.recorded, job.handled - job.claimed]) {
            // The database's clock is ours up to what its reading costs.
            stage.record(u64::try_from(took).unwrap_or(0))?;
        }
    }
    ensure!(whole.len() == u64::try_from(samples)?, "{} clock readings, not {samples}", whole.len());
    let stage = |micros: &Histogram<u64>| json!({ "p50_ms": ms(micros, 0.5), "p99_ms": ms(micros, 0.99) });
    let [to_insert, to_claim, to_handler] = &stages;
    let mut figures = json!({
        "samples": samples, "per_second": 50, "p50_ms": ms(&whole, 0.5), "p90_ms": ms(&whole, 0.9), "p99_ms": ms(&whole, 0.99),
        "max_ms": ms(&whole, 1.0), "send_to_insert": stage(to_insert), "insert_to_claim": stage(to_claim), "claim_to_handler": stage(to_handler),
    });
    if let (Value::Object(figures), Value::Object(told)) = (&mut figures, told) {
        figures.extend(told);
    }
    Ok(figures)
}

fn by_role(resident: &[(&'static str, f64)]) -> BTreeMap<&'static str, f64> {
    let mut largest = BTreeMap::new();
    for (name, mib) in resident {
        let entry = largest.entry(*name).or_insert(*mib);
        *entry = f64::max(*entry, *mib);
    }
    largest
}

#[expect(clippy::cast_precision_loss, reason = "far below what a float holds")]
fn rate(jobs: usize, took: Duration) -> f64 {
    (jobs as f64 / took.as_secs_f64()).round()
}

#[expect(clippy::cast_precision_loss, reason = "far below what a float holds")]
fn drain_secs(verdict: &Verdict) -> f64 {
    (verdict.last_finished - verdict.first_started) as f64 / 1_000_000.0
}

#[expect(clippy::cast_precision_loss, reason = "far below what a float holds")]
fn drain_rate(verdict: &Verdict) -> f64 {
    (verdict.succeeded as f64 / drain_secs(verdict)).round()
}

#[expect(clippy::cast_precision_loss, reason = "far below what a float holds")]
fn ms(micros: &Histogram<u64>, quantile: f64) -> f64 {
    micros.value_at_quantile(quantile) as f64 / 1_000.0
}
