//! Every sentence of a refusal, one constructor per problem: lower case, no final period, values in backticks.

use http::header::{ACCEPT_ENCODING, ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use store::{ActError, EnqueueError, Scopes, StoreError};

use domain::bounds::{KEY_CHARS_MAX, VIOLATIONS_MAX};
use domain::{Failure, JobState};

use super::{Problem, Violation};
use crate::allowance::{Allowance, Exhausted};

impl Problem {
    // ---- what was sent cannot be read

    pub fn invalid_json(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_json", "The body is not valid JSON", detail)
    }

    pub fn broken_body() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "broken_body", "The body ended early", "the connection or an encoding broke inside the body")
    }

    pub fn slow_body(secs: u64) -> Self {
        let detail = format!("the body did not arrive within {secs} seconds");
        Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "The body took too long", detail)
    }

    pub fn unsupported_media_type() -> Self {
        let detail = "the body must be JSON";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body is of another type", detail)
            .hint("send `Content-Type: application/json`")
    }

    /// The same where lines of JSON are taken, too.
    #[must_use]
    pub fn or_lines(self) -> Self {
        if self.code() == "unsupported_media_type" && self.0.headers.is_empty() {
            return self.hint("send `Content-Type: application/json`, or `application/x-ndjson` with one job per line");
        }
        self
    }

    pub fn unsupported_encoding() -> Self {
        let detail = "the body must not be compressed or otherwise encoded";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body is encoded", detail)
            .hint("send the body as it is, without `Content-Encoding`")
            .header(ACCEPT_ENCODING, "identity")
    }

    pub fn payload_too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "The request is too large", detail)
            .hint("keep large data elsewhere and submit a reference to it")
    }

    // ---- what was sent is wrong

    /// All that is wrong with the input. The code is what the violations have in common, or `mixed`.
    pub fn invalid(mixed: &'static str, mut errors: Vec<Violation>) -> Self {
        let code = errors.first().map_or(mixed, |first| if errors.iter().all(|e| e.code == first.code) { first.code } else { mixed });
        let title = match code {
            "unknown_kind" => "The kind is not known",
            "unknown_queue" => "The queue is not known",
            "invalid_payload" => "The payload does not fit its kind",
            "invalid_job" => "The job is not valid",
            _ => "The request is not valid",
        };
        let more = errors.len() > VIOLATIONS_MAX;
        errors.truncate(VIOLATIONS_MAX);
        let detail = match (errors.first(), errors.len()) {
            (Some(one), 1) if one.pointer.is_empty() => format!("the body {}", one.message),
            (Some(one), 1) => format!("`{}` {}", one.pointer, one.message),
            (_, n) if more => format!("{n} things are wrong, and more; see `errors`"),
            (_, n) => format!("{n} things are wrong; see `errors`"),
        };
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, title, detail);
        problem.0.errors = errors;
        problem
    }

    pub fn invalid_idempotency_key() -> Self {
        let detail = format!("`Idempotency-Key` must be 1 to {KEY_CHARS_MAX} visible ASCII characters, sent once");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_idempotency_key", "The idempotency key is not valid", detail)
    }

    /// `item`: which of a batch.
    pub fn idempotency_key_reused(item: Option<usize>) -> Self {
        let detail = match item {
            Some(index) => format!("the key of item {index} was used for another request in the last 24 hours"),
            None => "this key was used for another request in the last 24 hours".to_owned(),
        };
        let title = "The idempotency key was used for another request";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", title, detail)
            .hint("repeat the first request unchanged, or use a new key for a new request")
    }

    #[must_use]
    pub fn with_hint(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    // ---- who asks

    pub fn unauthorized(detail: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "A valid API key is needed", detail)
            .hint("send `Authorization: Bearer flt_…`; `flotilla keys create` makes a key")
            .header(WWW_AUTHENTICATE, "Bearer")
    }

    /// A key that asks more often than it may.
    pub fn rate_limited(exhausted: Exhausted) -> Self {
        let detail = format!("this key may make {} requests per minute; nothing was done", exhausted.allowance.limit());
        Self::too_many(exhausted, detail)
            .hint("wait for the time in `Retry-After`; submit many jobs in one batch; `FLOTILLA_RATE_LIMIT` is the limit")
    }

    /// An address that has shown too many wrong keys: others are not even looked for.
    pub fn too_many_wrong_keys(exhausted: Exhausted) -> Self {
        let detail = "too many wrong API keys came from this address; this one was not looked at".to_owned();
        Self::too_many(exhausted, detail).hint("wait for the time in `Retry-After`, then use a valid key")
    }

    fn too_many(exhausted: Exhausted, detail: String) -> Self {
        let mut headers = HeaderMap::new();
        exhausted.tell(&mut headers);
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "Too many requests", detail).headers(headers)
    }

    pub fn forbidden(missing: Scopes) -> Self {
        let detail = format!("this key lacks the scope `{missing}`");
        Self::new(StatusCode::FORBIDDEN, "forbidden", "The key may not do this", detail).hint("use a key that has the scope")
    }

    /// Refused, and counted.
    #[must_use]
    pub fn with_allowance(self, allowance: Option<Allowance>) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(allowance) = allowance {
            allowance.tell(&mut headers);
        }
        self.headers(headers)
    }

    pub fn tenant_needs_admin() -> Self {
        let detail = "naming another tenant needs the scope `admin`";
        Self::new(StatusCode::FORBIDDEN, "forbidden", "The key may not do this", detail)
    }

    // ---- what is asked for

    pub fn no_route() -> Self {
        let detail = "there is nothing at this path";
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", detail).hint("jobs are at `/v1/jobs`")
    }

    pub fn not_found(what: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", format!("there is no such {what}"))
    }

    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed", "this path does not take this method")
            .hint(format!("the header `{ALLOW}` names those it takes"))
    }

    pub fn gone() -> Self {
        let detail = "a job of this id, had there been one, would be past its retention";
        Self::new(StatusCode::GONE, "gone", "No longer kept", detail).hint("results are kept as long as their jobs are")
    }

    pub fn illegal_transition(state: JobState, wish: &'static str) -> Self {
        let detail = format!("the job is `{state}` and cannot be {wish}");
        Self::new(StatusCode::CONFLICT, "illegal_transition", "The job's state does not allow this", detail).state(state)
    }

    /// A job that will have no result.
    pub fn no_result(state: JobState, error: Option<&Failure>) -> Self {
        let (code, title) = match state {
            JobState::Cancelled => ("job_cancelled", "The job was cancelled"),
            JobState::Expired => ("job_expired", "The job expired before it started"),
            JobState::Dead | JobState::Waiting | JobState::Queued | JobState::Running | JobState::Succeeded => {
                ("job_dead", "The job failed")
            }
        };
        let detail = match error {
            Some(failure) => format!("the job is `{state}`: {} ({})", failure.message, failure.code),
            None => format!("the job is `{state}` and has no result"),
        };
        Self::new(StatusCode::CONFLICT, code, title, detail).state(state).with_hint(error.and_then(|failure| failure.hint.clone()))
    }

    /// A key names a job that cannot be read any more.
    pub fn job_gone() -> Self {
        let detail = "an earlier job was taken in under this key, and is no longer kept; no other was made";
        Self::new(StatusCode::CONFLICT, "job_gone", "The key's job is no longer kept", detail)
            .hint("use a new key if it is to be done again")
    }

    pub fn endpoint_exists(name: &str) -> Self {
        let detail = format!("the endpoint `{name}` exists with another URL");
        Self::new(StatusCode::CONFLICT, "endpoint_exists", "The endpoint exists", detail)
    }

    // ---- what is wrong here

    pub fn internal(error: &dyn std::error::Error) -> Self {
        Self::internal_error().caused_by(error)
    }

    pub fn panicked() -> Self {
        let mut problem = Self::internal_error();
        problem.0.cause = Some("a handler panicked".to_owned());
        problem
    }

    fn internal_error() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", "something went wrong here; the log has the request id")
    }

    /// Too many batches at once.
    pub fn busy() -> Self {
        let detail = "too many batches are in work; nothing was written";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too busy for a batch", detail)
            .hint("try again after the time in `Retry-After`; send fewer or smaller batches at a time")
            .header(RETRY_AFTER, "1")
    }

    /// Too many requests at once, or too large ones.
    pub fn overloaded() -> Self {
        let detail = "too many requests are in work, and this one found no room; nothing was done";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Overloaded", detail)
            .hint("try again after the time in `Retry-After`, and later each time")
            .header(RETRY_AFTER, "1")
    }

    /// Too many who follow jobs.
    pub fn too_many_streams() -> Self {
        let detail = "too many streams of events are open here";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too busy for another stream", detail)
            .hint("try again after the time in `Retry-After`, or ask for the job now and then")
            .header(RETRY_AFTER, "5")
    }

    fn store_unavailable() -> Self {
        let detail = "the store cannot be reached or is too busy; whether this request took effect is not known";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", "The store is unavailable", detail)
            .hint("try again after the time in `Retry-After`, with the same `Idempotency-Key`")
            .header(RETRY_AFTER, "1")
    }

    fn store_full() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_full", "The store is full", "the store has no space left; nothing was written")
            .hint("an operator must make room where the store keeps its data")
            .header(RETRY_AFTER, "60")
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable { .. } => Self::store_unavailable().caused_by(&error),
            StoreError::Full { .. } => Self::store_full().caused_by(&error),
            StoreError::Broken { .. } => Self::internal(&error),
        }
    }
}

impl From<EnqueueError> for Problem {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::KeyReused { index } => Self::idempotency_key_reused(Some(index)),
            EnqueueError::Store(error) => error.into(),
        }
    }
}

impl Problem {
    /// What became of an operator's wish that a job be `wish` (`cancelled`, `retried`).
    pub fn of_act(error: ActError, wish: &'static str) -> Self {
        match error {
            ActError::NotFound => Self::not_found("job"),
            ActError::Illegal(state) => Self::illegal_transition(state, wish),
            ActError::Store(error) => error.into(),
        }
    }
}
