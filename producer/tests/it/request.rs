//! One request to the router, and its answer.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::response::Response;
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::document::{self, Asked};

#[must_use = "send it"]
pub struct Call {
    router: Router,
    request: http::request::Builder,
    body: Bytes,
}

impl Call {
    pub fn new(router: Router, method: &str, path: &str) -> Self {
        Self { router, request: Request::builder().method(method).uri(path), body: Bytes::new() }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// As a server adds it.
    pub fn extension(mut self, extension: impl Clone + Send + Sync + 'static) -> Self {
        self.request = self.request.extension(extension);
        self
    }

    /// Instead of the bench's key.
    pub fn key(mut self, key: &str) -> Self {
        if let Some(headers) = self.request.headers_mut() {
            headers.insert("authorization", format!("Bearer {key}").parse().expect("a header's value"));
        }
        self
    }

    pub fn without_key(mut self) -> Self {
        if let Some(headers) = self.request.headers_mut() {
            headers.remove("authorization");
        }
        self
    }

    pub fn json(self, body: &str) -> Self {
        self.header("content-type", "application/json").bytes(body.as_bytes())
    }

    pub fn bytes(mut self, body: &[u8]) -> Self {
        self.body = Bytes::copy_from_slice(body);
        self
    }

    /// Every answer is checked for what every answer must have, and against the OpenAPI document.
    pub async fn send(self) -> Answer {
        let body = self.body.to_vec();
        let request = self.request.body(Body::from(self.body)).expect("a request");
        let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
        let response = self.router.oneshot(request).await.expect("answers never fail");
        let (head, answered) = response.into_parts();
        let answered = to_bytes(answered, usize::MAX).await.expect("a body");
        let answer = Answer { status: head.status, headers: head.headers, body: answered };
        answer.check();
        document::check(&Asked { method, uri, headers, body }, &answer);
        answer
    }

    /// An answer whose body goes on.
    pub async fn open(self) -> Response {
        let request = self.request.body(Body::from(self.body)).expect("a request");
        self.router.oneshot(request).await.expect("answers never fail")
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The pointers of what is wrong.
    pub fn pointers(&self) -> Vec<String> {
        let json = self.json();
        let errors = json["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["pointer"].as_str().expect("a pointer").to_owned()).collect()
    }

    fn check(&self) {
        assert!(!self.header("x-request-id").is_empty());
        assert_eq!((self.header("x-content-type-options"), self.header("referrer-policy")), ("nosniff", "no-referrer"));
        assert!(self.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert!(self.header("content-type") != "application/json" || self.header("cache-control") == "no-store");
        let is_problem = self.header("content-type") == "application/problem+json";
        if self.status.is_client_error() {
            assert!(is_problem, "{} {}", self.status, self.text());
        }
        // The answer to a HEAD has no body.
        if is_problem && !self.body.is_empty() {
            let json = self.json();
            assert_eq!(json["status"], self.status.as_u16());
            assert_eq!(json["request_id"], self.header("x-request-id"));
            assert!(["type", "title", "detail", "code"].iter().all(|name| json[name].is_string()), "{json}");
        }
    }
}
