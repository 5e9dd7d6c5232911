//! Handlers about the fleet: kinds and workers.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use domain::{Backoff, KindInfo, KindName, QueueName, Stop, format_duration};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use store::{Reports, WorkerRow};

use crate::desk::Desk;
use crate::path::Named;
use crate::problem::Problem;

#[derive(Serialize)]
pub struct KindView {
    name: KindName,
    queue: QueueName,
    max_attempts: u16,
    timeout: String,
    retry: Value,
    effects: domain::EffectPolicy,
    schema: Option<Box<RawValue>>,
}

#[derive(Serialize)]
pub struct Kinds {
    kinds: Vec<KindView>,
}

impl KindView {
    fn of(info: &KindInfo) -> Self {
        let KindInfo { name, queue, schema, max_attempts, timeout, retry, effects } = info;
        let backoff = match retry.backoff {
            Backoff::Exponential { base_ms, cap_ms } => json!({ "kind": "exponential", "base": millis(base_ms), "cap": millis(cap_ms) }),
            Backoff::Fixed { delay_ms } => json!({ "kind": "fixed", "delay": millis(delay_ms) }),
        };
        let stop_after = match retry.stop {
            Stop::Attempts => json!("attempts"),
            Stop::Elapsed { ms } => json!(millis(ms)),
        };
        Self {
            name: name.clone(),
            queue: queue.clone(),
            max_attempts: *max_attempts,
            timeout: format_duration(*timeout),
            retry: json!({ "backoff": backoff, "stop_after": stop_after }),
            effects: *effects,
            schema: serde_json::from_str(schema).ok(),
        }
    }
}

fn millis(ms: u64) -> String {
    format_duration(Duration::from_millis(ms))
}

pub async fn kinds(State(desk): State<Desk>) -> Result<Json<Kinds>, Problem> {
    let known = desk.catalog.read().await?;
    Ok(Json(Kinds { kinds: known.kinds.values().map(|kind| KindView::of(&kind.info)).collect() }))
}

pub async fn kind(State(desk): State<Desk>, Named(name): Named<KindName>) -> Result<Json<KindView>, Problem> {
    let known = desk.catalog.covering(|known| known.kinds.contains_key(&name)).await?;
    known.kinds.get(&name).map(|kind| Json(KindView::of(&kind.info))).ok_or_else(|| Problem::not_found("kind"))
}

#[derive(Serialize)]
pub struct Workers {
    workers: Vec<Value>,
}

pub async fn workers(State(reports): State<Arc<dyn Reports>>) -> Result<Json<Workers>, Problem> {
    let view = |row: WorkerRow| {
        let WorkerRow { id, name, host, pid, slots, version, live, lease_until, running } = row;
        json!({
            "id": id, "name": name, "host": host, "pid": pid, "slots": slots, "version": version, "live": live,
            "lease_until": lease_until, "running": running,
        })
    };
    Ok(Json(Workers { workers: reports.workers().await?.into_iter().map(view).collect() }))
}
