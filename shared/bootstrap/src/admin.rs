//! The admin port: `/health/live`, `/health/ready` and `/metrics` of a process that has no API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use settings::vars;
use telemetry::Metrics;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::listen::{ListenError, listen};
use crate::server::{Server, ServerLimits};
use crate::vitals::{Dependency, Vitals};

/// Those who ask how a process is are few.
const CONNECTIONS_MAX: usize = 64;
/// How long the last answers may take.
const CLOSES_WITHIN: Duration = Duration::from_secs(2);

/// What the port tells.
#[derive(Clone)]
pub struct AdminParts {
    pub vitals: Vitals,
    pub metrics: Arc<Metrics>,
    /// Cancelled when the process begins to stop.
    pub stopping: CancellationToken,
    /// Cancelled when a worker has registered; `None`: there is no worker.
    pub registered: Option<CancellationToken>,
}

/// A port that answers until it is closed.
pub struct AdminPort {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl AdminPort {
    pub async fn start(address: SocketAddr, parts: AdminParts) -> Result<Self, ListenError> {
        let listener = listen(address, vars::ADMIN_LISTEN.name).await?;
        let address = listener.local_addr().unwrap_or(address);
        let stop = CancellationToken::new();
        let limits = ServerLimits { connections_max: CONNECTIONS_MAX, stops_within: CLOSES_WITHIN, ..ServerLimits::default() };
        let metrics = Arc::clone(&parts.metrics);
        let server = Server { listener, router: router(parts), limits, metrics };
        let task = tokio::spawn(server.serve(stop.clone()));
        Ok(Self { address, stop, task })
    }

    /// Where it listens, with the port that it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A client that keeps its connection open does not hold up the end.
    pub async fn close(self) {
        self.stop.cancel();
        if self.task.await.is_err() {
            tracing::error!("the admin port panicked");
        }
    }
}

fn router(parts: AdminParts) -> Router {
    Router::new()
        .route("/health/live", get(async || Json(json!({ "status": "live" }))))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(parts)
}

async fn ready(State(parts): State<AdminParts>) -> Response {
    let mut dependencies = parts.vitals.look().await;
    if let Some(registered) = &parts.registered {
        let trouble = (!registered.is_cancelled()).then(|| "the worker has not registered with the store yet".to_owned());
        dependencies.push(Dependency { name: "worker", required: true, trouble });
    }
    let (ready, body) = readiness(&dependencies, parts.stopping.is_cancelled());
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body)).into_response()
}

/// The same shape as that of the API.
fn readiness(dependencies: &[Dependency], stopping: bool) -> (bool, Value) {
    let ready = !stopping && dependencies.iter().all(|dependency| !dependency.required || dependency.trouble.is_none());
    let one = |Dependency { name, required, trouble }: &Dependency| {
        let state = if trouble.is_none() { "ok" } else { "unavailable" };
        json!({ "name": name, "state": state, "required": required, "error": trouble })
    };
    let status = if ready {
        "ready"
    } else if stopping {
        "stopping"
    } else {
        "not_ready"
    };
    (ready, json!({ "status": status, "dependencies": dependencies.iter().map(one).collect::<Vec<_>>() }))
}

async fn metrics(State(parts): State<AdminParts>) -> Response {
    match parts.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(required: bool, trouble: Option<&str>) -> Dependency {
        Dependency { name: "thing", required, trouble: trouble.map(str::to_owned) }
    }

    #[test]
    fn only_what_is_required_makes_it_unready_and_everything_is_shown() {
        let well = [dependency(true, None), dependency(false, Some("an alarm"))];
        let (ready, body) = readiness(&well, false);
        assert!(ready && body["status"] == "ready" && body["dependencies"][1]["error"] == "an alarm", "{body}");
        let (ready, body) = readiness(&[dependency(true, Some("away"))], false);
        assert!(!ready && body["status"] == "not_ready" && body["dependencies"][0]["error"] == "away", "{body}");
        let (ready, body) = readiness(&well, true);
        assert!(!ready && body["status"] == "stopping", "{body}");
    }
}
