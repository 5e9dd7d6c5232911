//! A webhook receiver that judges: it verifies every signature, behaves as its path says, and keeps a ledger.
//!
//! | path | answer |
//! |---|---|
//! | `/ok` | 200 |
//! | `/status/{code}` | that status; `?location=` adds the header |
//! | `/fail/{n}` | 503 to the first n attempts of a webhook id, then 200 |
//! | `/rate/{n}` | 429 with `Retry-After: 1` to the first n attempts of a webhook id, then 200 |
//! | `/big/{bytes}` | 200 with a body of that many `x` |
//! | `/slow/{ms}` | 200 after that time, at most a minute |
//! | `/late/{ms}` | 200 after that time, but accepted at once: who dies in between does not know |
//! | `/hang` | none, until the client goes |
//! | `/drop` | none: reads the request and closes the connection |
//!
//! `POST /effect/{policy}/{ms}` and `GET /effect/{key}` are for effects that are no webhooks: see [`effects`].
//!
//! `?retry_after=` sets the header on every answer that is no success. `?endpoint=` names the secret to judge by. What
//! is not rightly signed is answered 401 and counted, whatever the path.

mod effects;
mod ledger;

use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path as Tail, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use vault::WebhookSecret;

use crate::hold;

use ledger::Effect;
pub use ledger::{Entry, Ledger, Received, Totals};

/// How far a signature's time may be from ours (Standard Webhooks: five minutes is usual).
const TOLERANCE_SECS: i64 = 300;
const SLOW_MAX: Duration = Duration::from_secs(60);
const BIG_MAX: usize = 16 * 1024 * 1024;

/// The secret of an endpoint by its name; `None`: there is no such endpoint, its deliveries count as badly signed.
pub type SecretOf = dyn Fn(&str) -> Option<WebhookSecret> + Send + Sync;

/// A receiver on a free port of the loopback interface; dropping it closes it.
pub struct Receiver {
    pub addr: SocketAddr,
    ledger: Arc<Ledger>,
    serving: JoinHandle<()>,
}

impl Receiver {
    /// Starts one that finds secrets by `?endpoint=` (`default` without it).
    pub async fn start(secret_of: impl Fn(&str) -> Option<WebhookSecret> + Send + Sync + 'static) -> Self {
        Self::start_with(Box::new(secret_of), Ledger::default()).await
    }

    /// Starts one that judges everything by one secret.
    pub async fn with_secret(secret: WebhookSecret) -> Self {
        Self::start(move |_| Some(secret.clone())).await
    }

    async fn start_with(secret_of: Box<SecretOf>, ledger: Ledger) -> Self {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let addr = listener.local_addr().expect("a bound address");
        let ledger = Arc::new(ledger);
        let judge = Arc::new(Judge { secret_of, ledger: Arc::clone(&ledger) });
        let app = Router::new()
            .route("/{*behaviour}", post(judged))
            .route("/effect/{policy}/{ms}", post(effects::make))
            .route("/effect/{key}", get(effects::has_happened))
            .with_state(judge);
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.expect("serves until it is dropped") });
        Self { addr, ledger, serving }
    }

    /// `http://127.0.0.1:<port><path>`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Closes the port. Connections that are open end with their clients.
    pub async fn shutdown(mut self) {
        self.serving.abort();
        let _aborted = (&mut self.serving).await;
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Runs a receiver as a process of its own, until it is killed: prints its address as the first line, and appends lines of JSON to
/// `ledger_file`: one for each accepted delivery or effect before it is answered, and `{"answered": n, "at_ms": …}` after that.
pub async fn run_as_process(secret: WebhookSecret, ledger_file: &Path) -> std::io::Result<()> {
    use std::io::Write;

    let file = std::fs::OpenOptions::new().create(true).append(true).open(ledger_file)?;
    let receiver = Receiver::start_with(Box::new(move |_| Some(secret.clone())), Ledger::written_to(file)).await;
    let mut out = std::io::stdout();
    writeln!(out, "http://{}", receiver.addr)?;
    out.flush()?;
    pending().await
}

struct Judge {
    secret_of: Box<SecretOf>,
    ledger: Arc<Ledger>,
}

#[derive(Deserialize)]
struct Wishes {
    endpoint: Option<String>,
    retry_after: Option<String>,
    location: Option<String>,
}

async fn judged(
    State(judge): State<Arc<Judge>>,
    Tail(behaviour): Tail<String>,
    Query(wishes): Query<Wishes>,
    (uri, headers): (Uri, HeaderMap),
    body: Bytes,
) -> Response {
    let endpoint = wishes.endpoint.as_deref().unwrap_or("default");
    let secret = (judge.secret_of)(endpoint);
    let signed = secret.is_some_and(|secret| is_signed(&secret, &headers, &body));
    let received = Received::new(uri.to_string(), headers, body);
    let effect = delivery(received.header("webhook-id"));
    let attempt = judge.ledger.attempt(&effect.key, received, signed);
    if !signed {
        return plain(StatusCode::UNAUTHORIZED, "badly signed");
    }
    let (answer, number) = if let Some(wait) = behaviour.strip_prefix("late/") {
        let number = judge.ledger.accept(&effect);
        dawdle_ms(wait.parse().unwrap_or(0)).await;
        (plain(StatusCode::OK, "late"), Some(number))
    } else {
        let answer = behave(&behaviour, attempt, &wishes).await;
        let number = answer.status().is_success().then(|| judge.ledger.accept(&effect));
        (answer, number)
    };
    if let Some(number) = number {
        judge.ledger.answered(number);
    }
    answer
}

/// What a delivery is to those who judge effects. Its key is the job's id, with `_r<n>` that of an edited replay.
fn delivery(id: &str) -> Effect {
    let job = id.split_once("_r").map_or(id, |(job, _)| job);
    Effect { key: id.to_owned(), job: job.to_owned(), name: "deliver".to_owned(), policy: "repeat_same_key".to_owned() }
}

fn is_signed(secret: &WebhookSecret, headers: &HeaderMap, body: &[u8]) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, at, signature) = (text("webhook-id"), text("webhook-timestamp"), text("webhook-signature"));
    let now_secs = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    secret.verify(id, at, signature, body, now_secs, TOLERANCE_SECS).is_ok()
}

/// What the path asks for; `attempt` counts this webhook id's from 1.
async fn behave(behaviour: &str, attempt: u32, wishes: &Wishes) -> Response {
    let (verb, number) = behaviour.split_once('/').map_or((behaviour, 0), |(verb, number)| (verb, number.parse().unwrap_or(0)));
    let first = |n: usize| usize::try_from(attempt).is_ok_and(|attempt| attempt <= n);
    match verb {
        "ok" => plain(StatusCode::OK, "ok"),
        "fail" if first(number) => refused(StatusCode::SERVICE_UNAVAILABLE, wishes, None),
        "rate" if first(number) => refused(StatusCode::TOO_MANY_REQUESTS, wishes, Some("1")),
        "fail" | "rate" => plain(StatusCode::OK, "at last"),
        "big" => plain(StatusCode::OK, "x".repeat(number.min(BIG_MAX))),
        "status" => {
            let status = u16::try_from(number).ok().and_then(|code| StatusCode::from_u16(code).ok());
            refused(status.unwrap_or(StatusCode::NOT_FOUND), wishes, None)
        }
        "slow" => {
            dawdle_ms(number).await;
            plain(StatusCode::OK, "slow")
        }
        "hang" => pending().await,
        // Unwinds the connection's task, which closes the connection; quietly, since no panic hook is asked.
        "drop" => std::panic::resume_unwind(Box::new("closed without an answer, as the path asked")),
        _ => plain(StatusCode::NOT_FOUND, "no such behaviour"),
    }
}

async fn dawdle_ms(ms: usize) {
    let wait = Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX)).min(SLOW_MAX);
    hold(wait, "a receiver that is slow is slow on purpose: the path asks for it").await;
}

fn plain(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
}

fn refused(status: StatusCode, wishes: &Wishes, retry_after: Option<&str>) -> Response {
    let mut response = plain(status, status.to_string());
    let wished = [(header::RETRY_AFTER, wishes.retry_after.as_deref().or(retry_after)), (header::LOCATION, wishes.location.as_deref())];
    for (name, value) in wished {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
