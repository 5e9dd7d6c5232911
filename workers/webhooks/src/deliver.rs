//! One attempt at one delivery: a signed POST of the exact bytes, and what became of it.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{Failure, Timestamp, TraceContext};
use http::{HeaderMap, HeaderName, HeaderValue};
use kinds::{Deliver, Delivered};
use reqwest::Response;
use url::Url;
use vault::WebhookSecret;

use crate::classify;
use crate::clients::Clients;
use crate::guard::{GuardPolicy, Lookup, LookupError, Refusal, SystemLookup, Target};
use crate::response::excerpt;

/// Everything one attempt needs.
pub struct Delivery<'a> {
    pub url: &'a Url,
    pub payload: &'a Deliver,
    pub secret: &'a WebhookSecret,
    /// The same on every attempt; without dots.
    pub id: &'a str,
    /// The time of this attempt.
    pub at: Timestamp,
    pub trace: TraceContext,
    /// How long it may take, from looking up the name to the end of the answer.
    pub within: Duration,
}

/// What is known after an attempt.
#[derive(Debug)]
pub enum Attempt {
    Delivered(Delivered),
    /// The receiver did not take it: it said so, or was never reached.
    NotDelivered(Failure),
    /// The request may have arrived; no answer did.
    Unknown(Failure),
}

/// Delivers webhooks past the guard.
pub struct Deliverer {
    policy: Arc<GuardPolicy>,
    clients: Clients,
}

impl Deliverer {
    pub fn new(policy: GuardPolicy) -> Self {
        Self::with_lookup(policy, Arc::new(SystemLookup))
    }

    /// With another way to look names up.
    pub fn with_lookup(policy: GuardPolicy, lookup: Arc<dyn Lookup>) -> Self {
        let policy = Arc::new(policy);
        Self { clients: Clients::new(Arc::clone(&policy), lookup), policy }
    }

    pub async fn deliver(&self, delivery: &Delivery<'_>) -> Attempt {
        let started = Instant::now();
        let target = match self.policy.check_url(delivery.url) {
            Ok(target) => target,
            Err(refusal) => return Attempt::NotDelivered(refused(refusal)),
        };
        let response = match self.send(target, delivery).await {
            Ok(response) => response,
            Err(attempt) => return attempt,
        };
        let status = response.status().as_u16();
        let retry_after = response.headers().get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        if let Err(failure) = classify::of_status(status, retry_after, delivery.at + started.elapsed()) {
            return Attempt::NotDelivered(failure);
        }
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let answer = excerpt(response, delivery.within.saturating_sub(started.elapsed())).await;
        Attempt::Delivered(Delivered { status, duration_ms, response: answer.text, response_truncated: answer.truncated })
    }

    async fn send(&self, target: Target, delivery: &Delivery<'_>) -> Result<Response, Attempt> {
        let headers = headers_of(delivery).map_err(Attempt::NotDelivered)?;
        let client = self.clients.of(target.door).map_err(|_| Attempt::NotDelivered(no_client()))?;
        let request = client.post(target.url).headers(headers).body(delivery.payload.body().to_owned()).build();
        let request = request.map_err(|_| Attempt::NotDelivered(unusable("the URL")))?;
        match tokio::time::timeout(delivery.within, client.execute(request)).await {
            Ok(sent) => sent.map_err(|error| unanswered(&error)),
            Err(_) => Err(Attempt::Unknown(Failure::transient("timeout", "the receiver did not answer in time"))),
        }
    }
}

/// The tenant's headers first: ours win, should a reserved name ever slip through.
fn headers_of(delivery: &Delivery<'_>) -> Result<HeaderMap, Failure> {
    let Delivery { payload, secret, id, at, trace, url: _, within: _ } = delivery;
    let at_secs = at.micros().div_euclid(1_000_000);
    let ours = [
        ("content-type", payload.content_type().to_owned()),
        ("traceparent", trace.to_string()),
        ("webhook-id", (*id).to_owned()),
        ("webhook-timestamp", at_secs.to_string()),
        ("webhook-signature", secret.sign(id, at_secs, payload.body().as_bytes())),
    ];
    let theirs = payload.headers.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let mut headers = HeaderMap::new();
    for (name, value) in theirs.chain(ours) {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable("a header's name"))?;
        let mut value = HeaderValue::try_from(value).map_err(|_| unusable("a header's value"))?;
        value.set_sensitive(name == http::header::AUTHORIZATION || name == http::header::COOKIE);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Sorts what went wrong before an answer came. Messages are our own words: the library's hold the URL with its query.
fn unanswered(error: &reqwest::Error) -> Attempt {
    if let Some(refusal) = cause::<Refusal>(error) {
        return Attempt::NotDelivered(refused(*refusal));
    }
    if let Some(why) = cause::<LookupError>(error) {
        return Attempt::NotDelivered(Failure::transient("dns_failed", why.to_string()));
    }
    if error.is_connect() {
        return Attempt::NotDelivered(unconnected(error));
    }
    Attempt::Unknown(Failure::transient("connection_broken", "the connection broke before the receiver answered"))
}

fn unconnected(error: &reqwest::Error) -> Failure {
    match io_kind(error) {
        // The TLS library reports through I/O errors of this kind.
        Some(io::ErrorKind::InvalidData) => Failure::transient("tls_failed", "no secure connection to the receiver could be made")
            .with_hint("the receiver's certificate must be valid for the URL's host"),
        Some(kind) => Failure::transient("connect_failed", format!("the receiver could not be reached: {kind}")),
        None if error.is_timeout() => Failure::transient("connect_failed", "the receiver could not be reached: timed out"),
        None => Failure::transient("connect_failed", "the receiver could not be reached"),
    }
}

/// The innermost I/O error says most: layers above wrap it as `Other`.
fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    chain(error).filter_map(|error| error.downcast_ref::<io::Error>()).last().map(io::Error::kind)
}

/// The error of this type in the chain of causes.
fn cause<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// An error and its causes. An I/O error's own `source` leaves out the error it wraps.
fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error| match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => (*error).source(),
    })
}

fn refused(refusal: Refusal) -> Failure {
    Failure::permanent("target_refused", refusal.to_string()).with_hint(refusal.hint())
}

fn unusable(what: &str) -> Failure {
    Failure::permanent("invalid_payload", format!("{what} cannot be used in a request"))
}

fn no_client() -> Failure {
    Failure::transient("client_failed", "no HTTP client could be made").with_hint("the worker's host may lack CA certificates")
}
