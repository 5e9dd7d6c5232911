//! The embedded engine: pick-up time, submission rates, a drain, and an idle process's memory.

mod idle;
mod load;
mod noop;
mod pickup;

use flotilla::{Fleet, FleetOptions};
use runtime::Registry;
use serde_json::{Value, json};
use settings::{Source, vars};

use crate::{Effort, report};

/// Jobs of the bulk and drain measurement.
const BULK_JOBS: usize = 100_000;
/// Seconds of the single-submission measurement.
const SINGLE_SECS: u64 = 5;

/// Measures, prints and saves.
pub async fn run(effort: Effort) -> anyhow::Result<()> {
    let figures = measure(if effort.quick { 10 } else { 1 }).await?;
    let mut rows = Vec::new();
    for (part, figures) in figures.as_object().into_iter().flatten() {
        rows.extend(figures.as_object().into_iter().flatten().map(|(name, value)| format!("{:<32} {value}", format!("{part}.{name}"))));
    }
    report::finish("core-embedded.json", effort, json!({ "figures": figures }), &rows)
}

async fn measure(scale: usize) -> anyhow::Result<Value> {
    let idle = idle::measure().await?;
    let pickup = with_fleet(10, async |fleet, log| pickup::measure(fleet, log, 1_500 / scale).await).await?;
    let secs = (SINGLE_SECS / u64::try_from(scale)?).max(1);
    let single = with_fleet(1_000, async |fleet, log| load::single(fleet, log, secs).await).await?;
    let bulk = with_fleet(1_000, async |fleet, log| load::bulk(fleet, log, BULK_JOBS / scale).await).await?;
    Ok(json!({ "idle": idle, "pickup": pickup, "single": single, "bulk": bulk }))
}

/// A fresh one-process fleet with the no-op kind, at default durability.
async fn with_fleet(slots: u32, measure: impl AsyncFnOnce(&Fleet, &noop::Log) -> anyhow::Result<Value>) -> anyhow::Result<Value> {
    let directory = tempfile::tempdir_in(report::scratch()?)?;
    let (log, mut registry) = (noop::Log::default(), Registry::default());
    registry.add::<noop::Noop, _>(log.handler())?;
    let source = Source::of(&[(&vars::LISTEN, "127.0.0.1:0")])
        .with(&vars::DATA_DIR, directory.path().display().to_string())
        .with(&vars::WORKER_SLOTS, slots.to_string())
        // One key submits everything.
        .with(&vars::RATE_LIMIT, "0");
    let fleet = Fleet::start(FleetOptions { source, registry }).await?;
    let figures = measure(&fleet, &log).await;
    fleet.shutdown().await;
    figures
}
