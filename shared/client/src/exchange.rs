//! How is one call sent, and its answer read within bounds?

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};

use crate::call::Call;
use crate::client::Inner;
use crate::{Answer, Error, Problem};

/// A refusal is a few sentences.
const PROBLEM_BYTES_MAX: usize = 1024 * 1024;
/// Longer than any wait that makes sense.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3_600);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const EVENT_STREAM: &str = "text/event-stream";

impl Inner {
    /// One try: sent once, answered once.
    pub async fn exchange(&self, call: &Call) -> Result<Answer<()>, Error> {
        let mut response = self.sent(self.request(call).timeout(self.try_timeout)).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(response).await);
        }
        let header = |name: &HeaderName| text_of(response.headers(), name);
        let (request_id, replayed) = (header(&REQUEST_ID), header(&IDEMPOTENCY_REPLAYED) == "true");
        let bytes = self.body(&mut response, self.answer_bytes_max).await?;
        let text = String::from_utf8(bytes).map_err(|_| self.unexpected(status, "its body is not UTF-8"))?;
        Ok(Answer::unread(status.as_u16(), request_id, replayed, text))
    }

    /// Opens an event stream, which goes on after the last event that was seen. The caller sets the deadline.
    pub async fn open_events(&self, call: &Call, last_seen: Option<&str>) -> Result<Response, Error> {
        let request = self.request(call).header(ACCEPT, EVENT_STREAM);
        let request = last_seen.into_iter().fold(request, |request, id| request.header(LAST_EVENT_ID, id));
        let response = self.sent(request).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(response).await);
        }
        if !text_of(response.headers(), &CONTENT_TYPE).starts_with(EVENT_STREAM) {
            return Err(self.unexpected(status, "it is no stream of events"));
        }
        Ok(response)
    }

    /// The next bytes of a stream, or nothing at its end.
    pub async fn chunk(&self, response: &mut Response) -> Result<Option<bytes::Bytes>, Error> {
        response.chunk().await.map_err(|error| self.unreachable(error))
    }

    fn request(&self, call: &Call) -> RequestBuilder {
        let mut request = self.http.request(call.method.clone(), call.url(&self.base));
        if let Some(authorization) = &self.authorization {
            request = request.header(reqwest::header::AUTHORIZATION, authorization.clone());
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        match &call.body {
            Some((content_type, bytes)) => request.header(CONTENT_TYPE, *content_type).body(bytes.clone()),
            None => request,
        }
    }

    async fn sent(&self, request: RequestBuilder) -> Result<Response, Error> {
        request.send().await.map_err(|error| match error.is_builder() {
            true => Error::Unusable { why: format!("the request cannot be written: {}", chain(&error.without_url())) },
            false => self.unreachable(error),
        })
    }

    async fn body(&self, response: &mut Response, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk(response).await? {
            if bytes.len() + chunk.len() > bytes_max {
                return Err(self.unexpected(response.status(), &format!("it is larger than {bytes_max} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    async fn refusal(&self, mut response: Response) -> Error {
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let header_id = text_of(response.headers(), &REQUEST_ID);
        let bytes = match self.body(&mut response, PROBLEM_BYTES_MAX).await {
            Ok(bytes) => bytes,
            Err(error) => return error,
        };
        // A proxy in between has words of its own.
        let Some(problem) = serde_json::from_slice::<Problem>(&bytes).ok().filter(|problem| !problem.code.is_empty()) else {
            return self.unexpected(status, "the body is no problem document");
        };
        let request_id = if problem.request_id.is_empty() { header_id } else { problem.request_id };
        Error::Problem(Box::new(Problem { status: status.as_u16(), request_id, retry_after, ..problem }))
    }

    fn unreachable(&self, error: reqwest::Error) -> Error {
        Error::Unreachable { url: self.shown_url.clone(), why: chain(&error.without_url()) }
    }

    fn unexpected(&self, status: StatusCode, why: &str) -> Error {
        Error::Unexpected { url: self.shown_url.clone(), status: status.as_u16(), why: why.to_owned() }
    }
}

fn text_of(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// In seconds, which is how this API says it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = text_of(headers, &RETRY_AFTER).trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
