//! Talks to the API as any client would: one call, one answer, refusals as the problem the server described.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;
use telemetry::chain;

use crate::Credentials;

/// One call may take this long.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How often a job that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("could not reach {url}: {why}\n  hint: is `flotilla up` running there?")]
    Unreachable { url: String, why: String },
    #[error("{problem}")]
    Refused { status: StatusCode, problem: Box<Problem> },
    #[error("{url} answered {status}, but not with what this program understands")]
    NotUnderstood { url: String, status: StatusCode },
}

/// What the server said about a refusal (RFC 9457).
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct Problem {
    pub title: String,
    pub detail: String,
    pub code: String,
    pub hint: Option<String>,
    pub request_id: String,
    pub errors: Vec<Invalid>,
}

/// One thing wrong with the input.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Invalid {
    pub pointer: String,
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", if self.detail.is_empty() { &self.title } else { &self.detail })?;
        // One fault is told by the sentence already.
        let more = if self.errors.len() > 1 { self.errors.as_slice() } else { &[] };
        more.iter().try_for_each(|Invalid { pointer, message }| write!(f, "\n  {pointer}: {message}"))?;
        self.hint.iter().try_for_each(|hint| write!(f, "\n  hint: {hint}"))?;
        write!(f, "\n  code: {} (request {})", self.code, self.request_id)
    }
}

/// A success.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub body: Value,
}

/// A client of one server with one key.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    credentials: Credentials,
}

impl Client {
    pub fn new(credentials: Credentials) -> Result<Self, ClientError> {
        // The API is where the operator says; environment proxies are for other traffic.
        let built = reqwest::Client::builder().timeout(CALL_TIMEOUT).no_proxy().build();
        let http = built.map_err(|error| ClientError::Unreachable { url: credentials.url.clone(), why: chain(&error) })?;
        Ok(Self { http, credentials })
    }

    pub fn url(&self) -> &str {
        &self.credentials.url
    }

    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Response, ClientError> {
        self.send(self.request(Method::GET, path).query(query)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Response, ClientError> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Posts JSON text exactly as it is.
    pub async fn post_text(&self, path: &str, body: String, idempotency_key: Option<&str>) -> Result<Response, ClientError> {
        let request = self.request(Method::POST, path).header("content-type", "application/json").body(body);
        let request = idempotency_key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
        self.send(request).await
    }

    pub async fn delete(&self, path: &str) -> Result<Response, ClientError> {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Looks at a job until it has ended, and returns it. The caller sets the deadline.
    pub async fn until_ended(&self, id: &str) -> Result<Value, ClientError> {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            let job = self.get(&format!("/v1/jobs/{id}"), &[]).await?.body;
            if !job["finished_at"].is_null() {
                return Ok(job);
            }
        }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.credentials.url.trim_end_matches('/'));
        self.http.request(method, url).bearer_auth(&self.credentials.key)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, ClientError> {
        let url = || self.credentials.url.clone();
        let unreachable = |error: reqwest::Error| ClientError::Unreachable { url: url(), why: chain(&error.without_url()) };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(unreachable)?;
        let not_understood = || ClientError::NotUnderstood { url: url(), status };
        if status.is_success() {
            let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).map_err(|_| not_understood())? };
            return Ok(Response { status: status.as_u16(), body });
        }
        let problem = serde_json::from_slice(&bytes).map_err(|_| not_understood())?;
        Err(ClientError::Refused { status, problem: Box::new(problem) })
    }
}
