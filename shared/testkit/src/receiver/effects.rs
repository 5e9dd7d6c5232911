//! How does a job make an effect that is no webhook? It posts to `/effect/{policy}/{ms}` with `Idempotency-Key`, `X-Job-Id` and
//! perhaps `X-Effect-Name`: that is written down at once and answered so many milliseconds later. `GET /effect/{key}` says
//! whether it happened: 200 or 404. Nothing is signed, and nothing is refused: who posts twice has done it twice.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;

use super::ledger::{Effect, Received};
use super::{Judge, dawdle_ms, plain};

pub(super) async fn make(
    State(judge): State<Arc<Judge>>,
    Path((policy, ms)): Path<(String, usize)>,
    (uri, headers): (Uri, HeaderMap),
    body: Bytes,
) -> Response {
    let received = Received::new(uri.to_string(), headers, body);
    let [key, job, name] = ["idempotency-key", "x-job-id", "x-effect-name"].map(|name| received.header(name).to_owned());
    if key.is_empty() || job.is_empty() {
        return plain(StatusCode::BAD_REQUEST, "an effect needs `Idempotency-Key` and `X-Job-Id`");
    }
    let effect = Effect { key, job, name: if name.is_empty() { "effect".to_owned() } else { name }, policy };
    judge.ledger.attempt(&effect.key, received, true);
    let number = judge.ledger.accept(&effect);
    dawdle_ms(ms).await;
    judge.ledger.answered(number);
    plain(StatusCode::OK, format!("effect {number}"))
}

pub(super) async fn has_happened(State(judge): State<Arc<Judge>>, Path(key): Path<String>) -> Response {
    match judge.ledger.entry(&key) {
        Some(entry) if entry.accepted > 0 => plain(StatusCode::OK, "it happened"),
        Some(_) | None => plain(StatusCode::NOT_FOUND, "it did not"),
    }
}
