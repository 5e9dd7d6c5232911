//! Reads a request's body within bounds of size, time, type and encoding.

use std::time::Duration;

use axum::body::BodyDataStream;
use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use domain::bounds::DISCARDED_BYTES_MAX;
use futures_util::StreamExt;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};

use crate::batch_room::Place;
use crate::problem::Problem;

/// How long a body may take to arrive. A batch over a slow line needs about 10 Mbit/s.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);
/// How long the rest of a refused body is read, so that the caller hears why instead of a reset.
const DISCARDED_WITHIN: Duration = Duration::from_secs(2);

/// The body of a request that must be JSON.
pub async fn json(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    read(judged(request)?, bytes_max, None).await
}

/// As [`json`]; its bytes are counted in `place` as they arrive.
pub async fn json_into(place: &mut Place, request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    read(judged(request)?, bytes_max, Some(place)).await
}

/// The body of a request that may be JSON or nothing.
pub async fn optional_json(request: Request, bytes_max: usize) -> Result<Option<Bytes>, Problem> {
    let is_json = require_json(request.headers());
    let body = read(request, bytes_max, None).await?;
    if body.is_empty() { Ok(None) } else { is_json.map(|()| Some(body)) }
}

/// The body as text; a byte order mark is left for the parser to refuse.
pub fn text(body: &Bytes) -> Result<&str, Problem> {
    std::str::from_utf8(body).map_err(|error| Problem::invalid_json(format!("the body is not UTF-8 from byte {}", error.valid_up_to())))
}

/// The request, if its head promises a body that can be read.
fn judged(request: Request) -> Result<Request, Problem> {
    match require_json(request.headers()) {
        Ok(()) => Ok(request),
        Err(problem) => {
            refuse(request);
            Err(problem)
        }
    }
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
    let is_plain = |coding: &str| coding.trim().is_empty() || coding.trim().eq_ignore_ascii_case("identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(|value| value.to_str().is_ok_and(|value| value.split(',').all(is_plain))) {
        return Err(Problem::unsupported_encoding());
    }
    if is_json && parts.all(is_utf8) { Ok(()) } else { Err(Problem::unsupported_media_type()) }
}

async fn read(request: Request, bytes_max: usize, place: Option<&mut Place>) -> Result<Bytes, Problem> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > u64::try_from(bytes_max).unwrap_or(u64::MAX)) {
        refuse(request);
        return Err(over(bytes_max));
    }
    let mut chunks = request.into_body().into_data_stream();
    let body = match tokio::time::timeout(ARRIVES_WITHIN, collect(&mut chunks, bytes_max, place)).await {
        Ok(body) => body,
        Err(_) => Err(Problem::slow_body(ARRIVES_WITHIN.as_secs()).closing()),
    };
    if body.is_err() {
        discard(chunks);
    }
    body
}

async fn collect(chunks: &mut BodyDataStream, bytes_max: usize, mut place: Option<&mut Place>) -> Result<Bytes, Problem> {
    let mut kept = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::broken_body())?;
        if kept.len() + chunk.len() > bytes_max {
            return Err(over(bytes_max));
        }
        if let Some(place) = &mut place {
            place.grow(chunk.len()).await.map_err(Problem::closing)?;
        }
        kept.extend_from_slice(&chunk);
    }
    Ok(kept.freeze())
}

/// Leaves the body of a request that is answered without it. A caller that asked first is not told to send it.
fn refuse(request: Request) {
    if !request.headers().contains_key(EXPECT) {
        discard(request.into_body().into_data_stream());
    }
}

/// Reads on behind the answer's back, for a moment: a connection that is closed with unread bytes in it is reset, and
/// the caller may lose the answer.
fn discard(mut chunks: BodyDataStream) {
    tokio::spawn(tokio::time::timeout(DISCARDED_WITHIN, async move {
        let mut seen = 0_usize;
        while let Some(Ok(chunk)) = chunks.next().await {
            seen += chunk.len();
            if seen > DISCARDED_BYTES_MAX {
                break;
            }
        }
    }));
}

fn over(bytes_max: usize) -> Problem {
    Problem::payload_too_large(format!("a request of this kind may have at most {bytes_max} bytes")).closing()
}
