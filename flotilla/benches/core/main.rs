//! The embedded engine, measured from outside: pick-up time, submission rates, a drain, and an idle process's memory.
//!
//! `cargo xtask bench core` runs it; figures go to standard output as a table and to `target/bench/` as JSON. A benchmark,
//! never a test: it asserts that every job ran, not how fast.
#![expect(clippy::print_stdout, reason = "a benchmark speaks on standard output")]

mod idle;
mod load;
mod noop;
mod pickup;

use std::path::PathBuf;

use anyhow::Context;
use flotilla::{Fleet, FleetOptions};
use runtime::Registry;
use serde_json::{Value, json};
use settings::{Source, vars};

/// Jobs of the bulk and drain measurement.
const BULK_JOBS: usize = 100_000;
/// Seconds of the single-submission measurement.
const SINGLE_SECS: u64 = 5;

fn main() -> anyhow::Result<()> {
    // Cargo passes flags of its own, such as `--bench`; only ours count.
    let quick = std::env::args().any(|argument| argument == "--quick");
    let scale = if quick { 10 } else { 1 };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(measure(scale))?;
    let report = json!({ "machine": machine(), "commit": commit(), "quick": quick, "figures": figures });
    print_table(&report);
    let file = save(&report)?;
    println!("raw figures: {}", file.display());
    Ok(())
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
    let directory = tempfile::tempdir_in(scratch()?)?;
    let (log, mut registry) = (noop::Log::default(), Registry::default());
    registry.add::<noop::Noop, _>(log.handler())?;
    let source = Source::of(&[(&vars::LISTEN, "127.0.0.1:0")])
        .with(&vars::DATA_DIR, directory.path().display().to_string())
        .with(&vars::WORKER_SLOTS, slots.to_string());
    let fleet = Fleet::start(FleetOptions { source, registry }).await?;
    let figures = measure(&fleet, &log).await;
    fleet.shutdown().await;
    figures
}

/// On the disk that builds use, because a temporary directory may be memory.
fn scratch() -> anyhow::Result<PathBuf> {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

fn machine() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo")
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(':').nth(1).map(|name| name.trim().to_owned()));
    let memory = read("/proc/meminfo").lines().next().map(|line| line.replace("MemTotal:", "").trim().to_owned());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    json!({ "cpu": cpu, "cores": cores, "memory": memory, "kernel": read("/proc/sys/kernel/osrelease").trim() })
}

fn commit() -> String {
    let output = std::process::Command::new("git").args(["describe", "--always", "--dirty"]).output();
    output.map_or_else(|_| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn save(report: &Value) -> anyhow::Result<PathBuf> {
    let directory = scratch()?.parent().context("the target directory")?.join("bench");
    std::fs::create_dir_all(&directory)?;
    let file = directory.join("core-embedded.json");
    std::fs::write(&file, format!("{report:#}\n"))?;
    Ok(file)
}

fn print_table(report: &Value) {
    let Value::Object(parts) = &report["figures"] else { return };
    println!("{} · commit {}", report["machine"], report["commit"].as_str().unwrap_or_default());
    for (part, figures) in parts {
        for (name, value) in figures.as_object().into_iter().flatten() {
            println!("{:<32} {value}", format!("{part}.{name}"));
        }
    }
}
