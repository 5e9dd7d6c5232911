//! What a process that has nothing to do keeps in memory.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::time::Instant;

/// Long enough for every duty to have run several times.
const SETTLE: Duration = Duration::from_secs(15);

pub async fn measure() -> anyhow::Result<Value> {
    let directory = tempfile::tempdir_in(crate::report::scratch()?)?;
    let mut process = Command::new(env!("CARGO_BIN_EXE_flotilla"));
    process.args(["--data-dir", &directory.path().display().to_string(), "up", "--listen", "127.0.0.1:0"]);
    let mut child = process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    tokio::time::sleep_until(Instant::now() + SETTLE).await;
    let read = resident(&child);
    child.kill()?;
    child.wait()?;
    Ok(json!({ "rss_mib": read? }))
}

fn resident(child: &Child) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).context("the process is gone")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok((kib / 102.4).round() / 10.0)
}
