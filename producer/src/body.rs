//! Reads a request's body within bounds of size, time, type and encoding.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody as _};
use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use domain::bounds::DISCARDED_BYTES_MAX;
use futures_util::StreamExt;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};

use crate::admission;
use crate::batch_room::Place;
use crate::problem::Problem;

/// The type of text with a JSON value on each line.
const NDJSON: &str = "application/x-ndjson";
/// How long a body may take to arrive. A batch over a slow line needs about 10 Mbit/s.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);
/// How long the rest of a refused body is read, so that the caller hears why instead of a reset.
const DISCARDED_WITHIN: Duration = Duration::from_secs(2);

/// The body of a request that must be JSON.
pub async fn json(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    if let Err(problem) = require_json(request.headers()) {
        refuse(request);
        return Err(problem);
    }
    read(request, bytes_max, None).await
}

/// How a batch is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// One object with all jobs.
    Json,
    /// A job per line.
    Lines,
}

/// The body of a batch, whose bytes are counted in `place` as they arrive.
pub async fn batch(place: &mut Place, request: Request, bytes_max: usize) -> Result<(Bytes, Format), Problem> {
    let is_lines = essence(request.headers()) == NDJSON;
    let readable = if is_lines { require_plain_utf8(request.headers()) } else { require_json(request.headers()) };
    if let Err(problem) = readable {
        refuse(request);
        return Err(problem.or_lines());
    }
    let body = read(request, bytes_max, Some(place)).await?;
    Ok((body, if is_lines { Format::Lines } else { Format::Json }))
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

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let essence = essence(headers);
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    require_plain_utf8(headers)?;
    if is_json { Ok(()) } else { Err(Problem::unsupported_media_type()) }
}

/// The type of the body, without its parameters.
fn essence(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn require_plain_utf8(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_utf8 = |part: &str| match part.trim().split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
            charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    let is_plain = |coding: &str| coding.trim().is_empty() || coding.trim().eq_ignore_ascii_case("identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(|value| value.to_str().is_ok_and(|value| value.split(',').all(is_plain))) {
        return Err(Problem::unsupported_encoding());
    }
    if value.split(';').skip(1).all(is_utf8) { Ok(()) } else { Err(Problem::unsupported_media_type()) }
}

async fn read(request: Request, bytes_max: usize, place: Option<&mut Place>) -> Result<Bytes, Problem> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > u64::try_from(bytes_max).unwrap_or(u64::MAX)) {
        refuse(request);
        return Err(over(bytes_max));
    }
    let mut chunks = request.into_body().into_data_stream();
    let arrival = async {
        let body = tokio::time::timeout(ARRIVES_WITHIN, collect(&mut chunks, bytes_max, place)).await;
        body.unwrap_or_else(|_| Err(Problem::slow_body(ARRIVES_WITHIN.as_secs()).closing()))
    };
    let body = admission::aside(arrival).await;
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
        match &mut place {
            Some(place) => place.grow(chunk.len()).await.map_err(Problem::closing)?,
            None => admission::carry(chunk.len()).map_err(Problem::closing)?,
        }
        kept.extend_from_slice(&chunk);
    }
    Ok(kept.freeze())
}

fn refuse(request: Request) {
    let (head, body) = request.into_parts();
    leave(&head.headers, body);
}

/// Leaves the body of a request that is answered without it. A caller that asked first is not told to send it.
pub fn leave(headers: &HeaderMap, body: Body) {
    if !body.is_end_stream() && !headers.contains_key(EXPECT) {
        discard(body.into_data_stream());
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

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn typed(value: &[u8]) -> Option<HeaderMap> {
        let value = HeaderValue::from_bytes(value).ok()?;
        Some(HeaderMap::from_iter([(CONTENT_TYPE, value)]))
    }

    proptest! {
        #[test]
        fn hostile_types_never_panic_and_are_no_json(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(headers) = typed(&bytes) {
                let is_json = require_json(&headers).is_ok();
                prop_assert!(!is_json || essence(&headers).ends_with("json"));
            }
        }

        /// Blanks, case and the order of parameters do not matter; another encoding does.
        #[test]
        fn json_is_known_however_it_is_written(
            kind in "(application|APPLICATION)/(json|JSON|[a-z.]{1,9}\\+json)",
            parameters in prop::collection::vec(" ?; ?(charset=\"?(utf|UTF)-8\"?|version=1|x)", 0..4),
            other in " ?; ?(charset|Charset) ?= ?\"?(latin1|utf-16|)\"?",
        ) {
            let text = kind + &parameters.concat();
            prop_assert!(require_json(&typed(text.as_bytes()).expect("a header's value")).is_ok(), "{}", text);
            let text = text + &other;
            prop_assert!(require_json(&typed(text.as_bytes()).expect("a header's value")).is_err(), "{}", text);
        }
    }
}
