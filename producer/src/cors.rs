//! May a web page of another origin use this answer? Only those that the operator named; browsers ask before they send.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use settings::Origin;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const TAKEN: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key, last-event-id, traceparent, x-request-id");
const SHOWN: HeaderValue = HeaderValue::from_static(
    "idempotency-replayed, location, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, x-request-id",
);
const VARIES: HeaderValue = HeaderValue::from_static("origin, access-control-request-method, access-control-request-headers");
/// Seconds for which a browser need not ask again.
const ASKED_EVERY: HeaderValue = HeaderValue::from_static("600");

/// The origins that may. There are no cookies here, so nothing is said of credentials: a page sends the key itself.
#[derive(Clone, Debug, Default)]
pub struct Cors(Arc<[Origin]>);

impl Cors {
    pub fn new(origins: Vec<Origin>) -> Self {
        Self(origins.into())
    }

    /// The origin a request comes from, if its pages may use the answer.
    pub fn admitted(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        self.0.iter().any(|admitted| admitted.as_str().as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }

    /// Says on an answer who may use it. Caches between us are told as soon as there is anything to tell apart.
    pub fn mark(&self, admitted: Option<HeaderValue>, headers: &mut HeaderMap) {
        if !self.0.is_empty() {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = admitted {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, SHOWN);
        }
    }
}

/// Whether a browser asks if it may send something.
pub fn is_question(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// It may, with whatever the API takes; the request itself is judged when it comes.
pub fn yes() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (ACCESS_CONTROL_ALLOW_HEADERS, TAKEN),
        (ACCESS_CONTROL_MAX_AGE, ASKED_EVERY),
        (VARY, VARIES),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}
