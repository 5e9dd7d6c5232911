//! `/health/live`, `/health/ready` and `/metrics`: is this process well, and what does it count?

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use broker::Publisher;
use domain::{Priority, QueueName, Timestamp};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use parking_lot::Mutex;
use serde_json::{Value, json};
use store::{Depth, Reports};
use telemetry::Metrics;
use tokio_util::sync::CancellationToken;

use crate::backlog::Backlog;
use crate::problem::Problem;

/// Less than the period of those who ask.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// What tells how this process is.
#[derive(Clone)]
pub struct Vitals {
    pub reports: Arc<dyn Reports>,
    pub backlog: Backlog,
    pub publisher: Arc<dyn Publisher>,
    pub metrics: Arc<Metrics>,
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Cancelled when the process begins to stop: readiness goes first.
    pub stopping: CancellationToken,
    /// Classes that were ever shown: one that has emptied shows 0 instead of its last depth.
    pub classes: Arc<Mutex<BTreeSet<(QueueName, Priority)>>>,
}

pub async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

/// Ready means that jobs can be taken in. That needs the store only: without the broker they wait and are sent later.
pub async fn ready(State(vitals): State<Vitals>) -> Response {
    let (store, broker) = tokio::join!(vitals.store(), vitals.broker());
    let stopping = vitals.stopping.is_cancelled();
    let ready = store.is_none() && !stopping;
    let dependency = |name: &str, needed: bool, error: Option<String>| {
        let state = if error.is_none() { "ok" } else { "unavailable" };
        json!({ "name": name, "state": state, "required": needed, "error": error })
    };
    let body = json!({
        "status": if ready { "ready" } else if stopping { "stopping" } else { "not_ready" },
        "dependencies": [dependency("store", true, store), dependency("broker", false, broker)],
    });
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

pub async fn metrics(State(vitals): State<Vitals>) -> Result<Response, Problem> {
    match tokio::time::timeout(ANSWERS_WITHIN, vitals.backlog.depths()).await {
        Ok(Ok(depths)) => vitals.show(&depths),
        Ok(Err(error)) => tracing::warn!(error = telemetry::chain(&error), "queue depths could not be read; their metrics are old"),
        Err(_) => tracing::warn!("queue depths could not be read in time; their metrics are old"),
    }
    let text = vitals.metrics.render().map_err(|error| Problem::internal(&error))?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

impl Vitals {
    /// The sentence for people without a key: the context, not the causes below it.
    async fn store(&self) -> Option<String> {
        match tokio::time::timeout(ANSWERS_WITHIN, self.reports.ping()).await {
            Ok(answer) => answer.err().map(|error| error.to_string()),
            Err(_) => Some("no answer in time".to_owned()),
        }
    }

    async fn broker(&self) -> Option<String> {
        match tokio::time::timeout(ANSWERS_WITHIN, self.publisher.lacks()).await {
            Ok(answer) => answer.err().map(|error| error.to_string()),
            Err(_) => Some("no answer in time".to_owned()),
        }
    }

    fn show(&self, depths: &[Depth]) {
        let now = (self.clock)();
        let mut classes = self.classes.lock();
        classes.extend(depths.iter().map(|depth| (depth.queue.clone(), depth.priority)));
        for (queue, priority) in classes.iter() {
            let depth = depths.iter().find(|depth| depth.queue == *queue && depth.priority == *priority);
            let labels = [queue.as_str(), priority.as_str()];
            let queued = depth.map_or(0, |depth| depth.queued);
            let oldest = depth.and_then(|depth| depth.oldest).map_or(0, |oldest| now.since(oldest).as_secs());
            self.metrics.queue_depth.with_label_values(&labels).set(i64::try_from(queued).unwrap_or(i64::MAX));
            self.metrics.queue_oldest_seconds.with_label_values(&labels).set(i64::try_from(oldest).unwrap_or(i64::MAX));
        }
    }
}
