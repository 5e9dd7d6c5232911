//! What could the same servers do for a bare program? The raw combined drain of the peers' benchmark, in the same run.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use super::servers::Servers;
use crate::Effort;

const ENDS_WITHIN: Duration = Duration::from_secs(600);
const DRAIN: &str = "quorum: drain: start and result rows";

/// Drains per second through a quorum queue with start and result rows: the best of its pipelines. `null` and why when there is none.
pub async fn drain(servers: &Servers, effort: Effort) -> anyhow::Result<Value> {
    let program = match &servers.raw {
        Ok(_) if effort.rounds == 0 => Err("only the pick-up is measured"),
        Ok(program) if !effort.quick => Ok(program),
        Ok(_) => Err("it takes a minute, and this was to be quick"),
        Err(why) => Err(why.as_str()),
    };
    let program = match program {
        Ok(program) => program,
        Err(why) => {
            println!("raw combined drain: skipped: {why}");
            return Ok(json!({ "best": null, "skipped": why }));
        }
    };
    let mut command = Command::new(program);
    command.args(["combined", "1"]).env("AMQP_URL", servers.broker_url()).env("PG_URL", servers.raw_database_url());
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = timeout(ENDS_WITHIN, command.output()).await.context("the raw measurement did not end in time")??;
    ensure!(output.status.success(), "the raw measurement failed ({})", output.status);
    let samples: Vec<Value> = String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let drains = samples.iter().filter(|sample| sample["name"].as_str().is_some_and(|name| name.starts_with(DRAIN)));
    let best = drains.filter_map(|sample| sample["value"].as_f64()).fold(0.0, f64::max);
    ensure!(best > 0.0, "the raw measurement did not say `{DRAIN}`");
    println!("raw combined drain: {best:.0}/s");
    Ok(json!({ "best": best, "samples": samples }))
}

/// Before and after, and the mean of both.
pub fn both(before: &Value, after: &Value) -> Value {
    let mean = before["best"].as_f64().zip(after["best"].as_f64()).map(|(before, after)| f64::midpoint(before, after));
    json!({ "mean": mean, "before": before, "after": after })
}
