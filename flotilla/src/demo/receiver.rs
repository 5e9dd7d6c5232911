//! The demo's receiver: a real HTTP server that verifies every signature and remembers what it accepted.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use vault::WebhookSecret;

/// How far a signature's timestamp may be off.
const TOLERANCE_SECS: i64 = 300;

/// A receiver that listens until it is dropped.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    trusted: Mutex<Vec<WebhookSecret>>,
    ledger: Mutex<Ledger>,
    arrived: Notify,
}

/// What the receiver has seen.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Requests and acceptances by webhook id, which is the job's id.
    pub deliveries: HashMap<String, Seen>,
    /// Jobs that callbacks told about, with how often.
    pub callbacks: HashMap<String, u32>,
    /// Requests whose signature did not verify: refused, and never expected.
    pub forged: u32,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    pub requests: u32,
    pub accepted: u32,
}

impl Receiver {
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let routes = Router::new()
            .route("/ok", post(accept))
            .route("/fail/{times}", post(fail_first))
            .route("/busy", post(busy_first))
            .route("/refuse", post(refuse))
            .route("/hang", post(hang))
            .route("/callback", post(callback))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%error, "the demo's receiver ended");
            }
        });
        Ok(Self { address, shared, server })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts what is signed with this secret.
    pub fn trust(&self, secret: WebhookSecret) {
        self.shared.trusted.lock().push(secret);
    }

    pub fn ledger(&self) -> Ledger {
        self.shared.ledger.lock().clone()
    }

    /// Waits until `callbacks` jobs were told about, or the deadline.
    pub async fn await_deliveries(&self, callbacks: usize, deadline: Instant) {
        loop {
            let arrived = self.shared.arrived.notified();
            if self.shared.ledger.lock().callbacks.len() >= callbacks || Instant::now() >= deadline {
                return;
            }
            let _ = tokio::time::timeout_at(deadline, arrived).await;
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    /// The webhook id of a request whose signature verifies; counts it.
    fn verified(&self, headers: &HeaderMap, body: &[u8]) -> Result<String, StatusCode> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (id, timestamp, signature) = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
        let now_secs = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
        let good = self.trusted.lock().iter().any(|secret| secret.verify(id, timestamp, signature, body, now_secs, TOLERANCE_SECS).is_ok());
        let mut ledger = self.ledger.lock();
        if !good {
            ledger.forged += 1;
            return Err(StatusCode::UNAUTHORIZED);
        }
        ledger.deliveries.entry(id.to_owned()).or_default().requests += 1;
        Ok(id.to_owned())
    }

    fn accepted(&self, id: &str) -> Response {
        self.ledger.lock().deliveries.entry(id.to_owned()).or_default().accepted += 1;
        self.arrived.notify_waiters();
        StatusCode::NO_CONTENT.into_response()
    }

    fn requests(&self, id: &str) -> u32 {
        self.ledger.lock().deliveries.get(id).map_or(0, |seen| seen.requests)
    }
}

async fn accept(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    match shared.verified(&headers, &body) {
        Ok(id) => shared.accepted(&id),
        Err(status) => status.into_response(),
    }
}

/// Answers 503 to the first `times` requests of each delivery.
async fn fail_first(Path(times): Path<u32>, State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    match shared.verified(&headers, &body) {
        Ok(id) if shared.requests(&id) > times => shared.accepted(&id),
        Ok(_) => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")]).into_response(),
        Err(status) => status.into_response(),
    }
}

/// Answers 429 to the first request of each delivery.
async fn busy_first(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    match shared.verified(&headers, &body) {
        Ok(id) if shared.requests(&id) > 1 => shared.accepted(&id),
        Ok(_) => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "2")]).into_response(),
        Err(status) => status.into_response(),
    }
}

async fn refuse(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    match shared.verified(&headers, &body) {
        Ok(_) => (StatusCode::BAD_REQUEST, "this receiver wants none of these").into_response(),
        Err(status) => status.into_response(),
    }
}

/// Never answers; ends when the client gives up.
async fn hang(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    match shared.verified(&headers, &body) {
        Ok(_) => std::future::pending().await,
        Err(status) => status.into_response(),
    }
}

/// A job's end, told by the fleet.
async fn callback(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(status) = shared.verified(&headers, &body) {
        return status.into_response();
    }
    let told: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(job) = told["data"]["id"].as_str() else { return StatusCode::BAD_REQUEST.into_response() };
    *shared.ledger.lock().callbacks.entry(job.to_owned()).or_default() += 1;
    shared.arrived.notify_waiters();
    StatusCode::NO_CONTENT.into_response()
}
