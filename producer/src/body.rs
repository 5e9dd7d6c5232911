//! Reads a request's body within bounds of size, time and type.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use domain::bounds::BATCH_BYTES_MAX;
use futures_util::StreamExt;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};

use crate::problem::Problem;

/// How long a body may take to arrive. A batch over a slow line needs about 10 Mbit/s.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);
/// What is read and thrown away of a body that is too large, so that the caller hears why instead of a reset.
const DISCARDED_BYTES_MAX: usize = 2 * BATCH_BYTES_MAX;

/// The body of a request that must be JSON.
pub async fn json(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    require_json(request.headers())?;
    read(request, bytes_max).await
}

/// The body of a request that may be JSON or nothing.
pub async fn optional_json(request: Request, bytes_max: usize) -> Result<Option<Bytes>, Problem> {
    let is_json = require_json(request.headers());
    let body = read(request, bytes_max).await?;
    if body.is_empty() { Ok(None) } else { is_json.map(|()| Some(body)) }
}

/// The body as text; a byte order mark is left for the parser to refuse.
pub fn text(body: &Bytes) -> Result<&str, Problem> {
    std::str::from_utf8(body).map_err(|error| Problem::invalid_json(format!("the body is not UTF-8 from byte {}", error.valid_up_to())))
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = value.split(';');
    let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    let is_utf8 = |part: &str| match part.trim().split_once('=') {
        Some((name, charset)) if name.eq_ignore_ascii_case("charset") => charset.trim_matches('"').eq_ignore_ascii_case("utf-8"),
        _ => true,
    };
    if is_json && parts.all(is_utf8) { Ok(()) } else { Err(Problem::unsupported_media_type()) }
}

async fn read(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    let (head, body) = request.into_parts();
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
    let too_large = announced.is_some_and(|bytes| bytes > u64::try_from(bytes_max).unwrap_or(u64::MAX));
    if too_large && head.headers.contains_key(EXPECT) {
        return Err(over(bytes_max)); // The caller waits for our word before it sends.
    }
    let reading = collect(body, if too_large { 0 } else { bytes_max });
    match tokio::time::timeout(ARRIVES_WITHIN, reading).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(over(bytes_max)),
        Ok(Err(problem)) => Err(problem),
        Err(_) => Err(Problem::slow_body(ARRIVES_WITHIN.as_secs())),
    }
}

/// The whole body, or `None` if it is larger.
async fn collect(body: Body, bytes_max: usize) -> Result<Option<Bytes>, Problem> {
    let mut chunks = body.into_data_stream();
    let mut kept = BytesMut::new();
    let mut seen = 0_usize;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::broken_body())?;
        seen += chunk.len();
        if seen > DISCARDED_BYTES_MAX {
            break;
        }
        if seen <= bytes_max {
            kept.extend_from_slice(&chunk);
        } else {
            kept = BytesMut::new();
        }
    }
    Ok((seen <= bytes_max).then(|| kept.freeze()))
}

fn over(bytes_max: usize) -> Problem {
    Problem::payload_too_large(format!("a request of this kind may have at most {bytes_max} bytes"))
}
