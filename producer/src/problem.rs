//! What does a caller see when something is refused? RFC 9457 `application/problem+json`, rendered once.
//!
//! A handler returns a [`Problem`]; it travels as an extension of an empty response, and the envelope, which knows the
//! request id, writes its body and its one log line.

mod wording;

use axum::response::{IntoResponse, Response};
use domain::JobState;
use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

/// One thing that is wrong with the input.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Violation {
    /// A JSON pointer into the request's body, or `?name` for a query parameter.
    pub pointer: String,
    pub message: String,
    /// The problem's code if everything that is wrong has this one.
    #[serde(skip)]
    pub code: &'static str,
}

impl Violation {
    pub fn new(code: &'static str, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into(), code }
    }
}

/// A refusal. Boxed, because it is the rare half of every result.
#[derive(Clone, Debug)]
pub struct Problem(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    hint: Option<String>,
    /// The state of the job that stands in the way.
    state: Option<JobState>,
    errors: Vec<Violation>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The chain of the error behind it: for the log, never for the caller.
    cause: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<JobState>,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Violation],
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self(Box::new(Inner { status, code, title, detail, hint: None, state: None, errors: Vec::new(), headers: Vec::new(), cause: None }))
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    fn state(mut self, state: JobState) -> Self {
        self.0.state = Some(state);
        self
    }

    /// The connection ends with this answer: the rest of the request may still be on its way.
    #[must_use]
    pub fn closing(self) -> Self {
        self.header(CONNECTION, "close")
    }

    fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.0.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// Headers whose values are only known now.
    #[must_use]
    fn headers(mut self, headers: HeaderMap) -> Self {
        self.0.headers.extend(headers.into_iter().filter_map(|(name, value)| Some((name?, value))));
        self
    }

    /// The same of one line of a text that is read line by line.
    #[must_use]
    pub fn in_line(mut self, line: usize) -> Self {
        if self.0.code == "invalid_json" {
            self.0.detail = format!("line {line}: {}", self.0.detail);
        }
        self
    }

    /// What is wrong with the input.
    pub fn into_errors(self) -> Vec<Violation> {
        self.0.errors
    }

    fn caused_by(mut self, error: &dyn std::error::Error) -> Self {
        self.0.cause = Some(telemetry::chain(error));
        self
    }

    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    pub fn code(&self) -> &'static str {
        self.0.code
    }

    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The body, for the request with this id.
    pub fn render(&self, request_id: &str) -> Vec<u8> {
        let inner = &*self.0;
        let body = Body {
            r#type: format!("urn:flotilla:problem:{}", inner.code),
            title: inner.title,
            status: inner.status.as_u16(),
            detail: &inner.detail,
            code: inner.code,
            hint: inner.hint.as_deref(),
            state: inner.state,
            request_id,
            errors: &inner.errors,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.headers_mut().extend(self.0.headers.iter().cloned());
        response.extensions_mut().insert(self);
        response
    }
}
