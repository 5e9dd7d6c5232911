//! What can be said about a job that is to be submitted?

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{Priority, Time};

/// A job to submit.
///
/// ```
/// use flotilla_client::{NewJob, Priority};
/// use std::time::Duration;
///
/// #[derive(serde::Serialize)]
/// struct Delivery { endpoint: &'static str, data: u32 }
///
/// let job = NewJob::new("webhooks.deliver", &Delivery { endpoint: "orders", data: 7 })?
///     .priority(Priority::High)
///     .delay(Duration::from_secs(90))
///     .unique("order-7", Some(Duration::from_secs(3600)))
///     .tag("orders");
/// assert_eq!(
///     serde_json::to_string(&job)?,
///     r#"{"kind":"webhooks.deliver","payload":{"endpoint":"orders","data":7},"priority":"high","delay":"90s","tags":["orders"],"unique":{"key":"order-7","for":"1h"}}"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Serialize)]
#[must_use = "submit it"]
pub struct NewJob {
    kind: String,
    payload: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique: Option<Unique>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_url: Option<String>,
    #[serde(skip)]
    pub(crate) idempotency_key: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Unique {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#for: Option<String>,
}

/// The payload cannot be written as JSON, or is not JSON.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the payload is not JSON: {0}")]
pub struct InvalidPayload(String);

impl InvalidPayload {
    pub(crate) fn of(error: &serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<InvalidPayload> for crate::Error {
    fn from(invalid: InvalidPayload) -> Self {
        Self::Unusable { why: invalid.to_string() }
    }
}

impl NewJob {
    /// A job of this kind with this payload.
    ///
    /// # Errors
    /// When the payload cannot be written as JSON.
    pub fn new(kind: impl Into<String>, payload: &impl Serialize) -> Result<Self, InvalidPayload> {
        let payload = serde_json::value::to_raw_value(payload).map_err(|error| InvalidPayload::of(&error))?;
        Ok(Self::of(kind.into(), payload))
    }

    /// A job of this kind with a payload that is JSON already; it is sent byte for byte.
    ///
    /// # Errors
    /// When the text is not JSON.
    pub fn with_json(kind: impl Into<String>, payload: impl Into<String>) -> Result<Self, InvalidPayload> {
        let payload = RawValue::from_string(payload.into()).map_err(|error| InvalidPayload::of(&error))?;
        Ok(Self::of(kind.into(), payload))
    }

    fn of(kind: String, payload: Box<RawValue>) -> Self {
        Self {
            kind,
            payload,
            queue: None,
            priority: None,
            run_at: None,
            delay: None,
            expires_at: None,
            max_attempts: None,
            timeout: None,
            tags: Vec::new(),
            unique: None,
            group: None,
            callback_url: None,
            idempotency_key: None,
        }
    }

    /// Where it waits, instead of its kind's queue.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Its share while all workers are busy.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Not before this time; instead of a delay.
    pub fn run_at(mut self, at: Time) -> Self {
        (self.run_at, self.delay) = (Some(at), None);
        self
    }

    /// Not before this much later; instead of a time.
    pub fn delay(mut self, delay: Duration) -> Self {
        (self.run_at, self.delay) = (None, Some(text_of(delay)));
        self
    }

    /// Give up if not started by then.
    pub fn expires_at(mut self, at: Time) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// Attempts before it is dead, instead of its kind's.
    pub fn max_attempts(mut self, attempts: u16) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// How long one attempt may take, instead of its kind's.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(text_of(timeout));
        self
    }

    /// A word to find it by; up to 16.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Further jobs under this key get this one: for this long, or until it has ended.
    pub fn unique(mut self, key: impl Into<String>, window: Option<Duration>) -> Self {
        self.unique = Some(Unique { key: key.into(), r#for: window.map(text_of) });
        self
    }

    /// A group, which is kept and shown.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Who is told when it has ended.
    pub fn callback_url(mut self, url: impl Into<String>) -> Self {
        self.callback_url = Some(url.into());
        self
    }

    /// Submitting twice under one key within 24 h makes one job. Without one, each submission gets a key of its own, so that it
    /// can be sent again when an answer was lost. Items of a batch take the batch's.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }
}

/// As the API reads it: `90s`, `5m`, `1500ms`.
pub(crate) fn text_of(duration: Duration) -> String {
    const UNITS: [(&str, u128); 4] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let ms = duration.as_millis();
    match UNITS.iter().find(|(_, unit_ms)| ms.is_multiple_of(*unit_ms) && ms >= *unit_ms) {
        Some((unit, unit_ms)) => format!("{}{unit}", ms / unit_ms),
        None => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_in_the_largest_unit_that_divides_them() {
        for (ms, text) in [(0, "0ms"), (250, "250ms"), (90_000, "90s"), (120_000, "2m"), (7_200_000, "2h"), (172_800_000, "2d")] {
            assert_eq!(text_of(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn a_payload_is_sent_byte_for_byte() {
        let payload = r#"{ "b" : 1.0,"a":[12345678901234567890123, "\u0000"],  "a":null }"#;
        let job = NewJob::with_json("k", payload).expect("JSON");
        assert_eq!(serde_json::to_string(&job).expect("written"), format!(r#"{{"kind":"k","payload":{payload}}}"#));
        assert!(NewJob::with_json("k", "{").is_err());
    }
}
