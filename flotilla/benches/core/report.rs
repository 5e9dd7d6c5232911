//! Where do figures go, and what is said with them? The machine, the commit and how busy the machine was.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use serde_json::{Value, json};

use crate::Effort;

/// On the disk that builds use, because a temporary directory may be memory.
pub fn scratch() -> anyhow::Result<PathBuf> {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// `target/bench`, or a directory in it.
pub fn directory(below: &str) -> anyhow::Result<PathBuf> {
    let directory = scratch()?.parent().context("the target directory")?.join("bench").join(below);
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// Prints the rows, and saves `figures` beside what they were taken on.
pub fn finish(file: &str, effort: Effort, figures: Value, rows: &[String]) -> anyhow::Result<()> {
    let mut report = json!({ "machine": machine(), "commit": commit(), "quick": effort.quick, "rounds": effort.rounds });
    if let (Value::Object(report), Value::Object(figures)) = (&mut report, figures) {
        report.extend(figures);
    }
    println!("{} · commit {}", report["machine"], report["commit"].as_str().unwrap_or_default());
    rows.iter().for_each(|row| println!("{row}"));
    let file = directory("")?.join(file);
    std::fs::write(&file, format!("{report:#}\n"))?;
    println!("raw figures: {}", file.display());
    Ok(())
}

/// The load average of the last minute: above 0.7 before a measurement, somebody else is at work here.
pub fn load() -> f64 {
    let read = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    read.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
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
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    output.map_or_else(|_| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
