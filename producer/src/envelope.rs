//! What every request and response carries, known route or not: request id, safe headers, metrics, one line per failure.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use domain::bounds::REQUEST_ID_CHARS_MAX;
use domain::{Timestamp, TraceContext};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method};
use store::Mint;
use telemetry::Metrics;

use crate::compression::{Coding, Press};
use crate::cors::{self, Cors};
use crate::problem::Problem;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The label of requests that matched no route.
const NO_ROUTE: &str = "none";

/// The id of one request: the caller's, if it is usable, else ours.
#[derive(Clone, Debug)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// As the envelope left it.
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get().cloned().unwrap_or_else(|| Self("-".into()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Wraps every request.
#[derive(Clone)]
pub struct Envelope {
    metrics: Arc<Metrics>,
    mint: Arc<Mint>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    cors: Cors,
    press: Press,
}

impl Envelope {
    pub fn new(metrics: Arc<Metrics>, mint: Arc<Mint>, clock: Arc<dyn Fn() -> Timestamp + Send + Sync>, cors: Cors) -> Self {
        Self { metrics, mint, clock, cors, press: Press::default() }
    }

    pub async fn wrap(State(envelope): State<Self>, mut request: Request, next: Next) -> Response {
        let started = Instant::now();
        let id = envelope.request_id(request.headers());
        let trace = envelope.trace(request.headers());
        let method = method_label(request.method());
        let route = request.extensions().get::<MatchedPath>().cloned();
        request.extensions_mut().insert(id.clone());
        request.extensions_mut().insert(trace);
        let (coding, page) = (Coding::accepted(request.headers()), envelope.cors.admitted(request.headers()));
        let is_question = page.is_some() && cors::is_question(request.method(), request.headers());
        let response = if is_question { cors::yes() } else { next.run(request).await };
        let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
        envelope.count(method, route, &response, started);
        let mut response = finish(response, &id, (method, route));
        envelope.cors.mark(page, response.headers_mut());
        envelope.press.press(coding, response).await
    }

    fn request_id(&self, headers: &HeaderMap) -> RequestId {
        let usable = |text: &&str| {
            (1..=REQUEST_ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let given = headers.get(X_REQUEST_ID).and_then(|value| value.to_str().ok()).filter(usable);
        RequestId(given.map_or_else(|| self.mint.uuid((self.clock)()).to_string().into(), Arc::from))
    }

    fn trace(&self, headers: &HeaderMap) -> TraceContext {
        let given = headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
        given.unwrap_or_else(|| TraceContext::from_random(self.mint.uuid((self.clock)())))
    }

    fn count(&self, method: &str, route: &str, response: &Response, started: Instant) {
        self.metrics.http_requests.with_label_values(&[method, route, response.status().as_str()]).inc();
        self.metrics.http_seconds.with_label_values(&[method, route]).observe(started.elapsed().as_secs_f64());
        if response.extensions().get::<Problem>().is_some_and(|problem| problem.code() == "busy") {
            self.metrics.http_shed.with_label_values(&["busy"]).inc();
        }
    }
}

/// Writes a refusal's body and log line, and the headers that all responses have.
fn finish(mut response: Response, id: &RequestId, place: (&str, &str)) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        log(&problem, id, place);
        *response.body_mut() = Body::from(problem.render(&id.0));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(X_REQUEST_ID, value);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // A page says itself what it may load and how long it may be kept. Data is no page, and is nobody's to keep.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

/// The route's template, never the path: paths carry ids. `error` means that a person should act.
fn log(problem: &Problem, id: &RequestId, (method, route): (&str, &str)) {
    let (status, code, cause) = (problem.status().as_u16(), problem.code(), problem.cause().unwrap_or("-"));
    // A person must act: a bug, or a disk that is full.
    if matches!(problem.code(), "internal" | "store_full") {
        tracing::error!(request.id = %id, error = cause, status, code, "{method} {route} failed");
    } else if matches!(problem.code(), "overloaded" | "rate_limited") {
        // They come in thousands, and are counted.
        tracing::debug!(request.id = %id, status, code, "{method} {route} was refused");
    } else if status >= 500 {
        tracing::warn!(request.id = %id, error = cause, status, code, "{method} {route} could not be done");
    } else {
        tracing::info!(request.id = %id, status, code, "{method} {route} was refused");
    }
}

/// Methods are words that callers choose; labels are not.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
