//! The distributed engine: processes as in production on PostgreSQL, RabbitMQ and Redis, loaded over HTTP, judged by the database.

mod cpu;
mod database;
mod fleet;
mod generator;
mod http;
mod measures;
mod process;
mod raw;
mod servers;
mod table;
mod worker;

use std::path::Path;

use serde_json::{Value, json};

use crate::report;
use crate::{Effort, distributed::fleet::Fleet, distributed::servers::Servers};

pub use worker::{WORKER, work};

/// Measures, prints and saves.
pub async fn run(servers: &Path, effort: Effort) -> anyhow::Result<()> {
    let servers = Servers::read(servers)?;
    let conditions = servers.conditions().await?;
    table::print_conditions(&conditions);
    let load_before = report::load();
    let before = raw::drain(&servers, effort).await?;
    let measured = measure(&servers, effort).await?;
    let after = raw::drain(&servers, effort).await?;
    let raw = raw::both(&before, &after);
    let rows = table::rows(&measured, &raw);
    let report = json!({ "conditions": conditions, "load_before": load_before, "raw": raw, "figures": measured });
    report::finish("core-distributed.json", effort, report, &rows)
}

async fn measure(servers: &Servers, effort: Effort) -> anyhow::Result<Value> {
    let mut fleet = Fleet::start(servers).await?;
    let idle = if effort.rounds > 0 { measures::idle(&mut fleet).await? } else { Value::Null };
    measures::warm_up(&mut fleet, effort).await?;
    // First: after a load, the disk is still busy with what that left behind.
    let pickup = measures::pickup(&mut fleet, effort).await?;
    // Its worker was a small one, and messages are packed by the worker that was there last.
    if effort.rounds > 0 {
        measures::warm_up(&mut fleet, effort).await?;
    }
    let mut rounds = Vec::new();
    for number in 1..=effort.rounds {
        let round = measures::round(&mut fleet, effort).await?;
        println!("round {number} of {}: {round}", effort.rounds);
        rounds.push(round);
    }
    let queues = servers.queues().await?;
    fleet.stop().await?;
    Ok(json!({ "idle": idle, "rounds": rounds, "pickup": pickup, "queues": queues }))
}
