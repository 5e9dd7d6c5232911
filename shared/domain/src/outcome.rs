//! What a handler says about its attempt. Failures are classified once, here, and each class has its own policy.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::bounds::FAILURE_MESSAGE_BYTES_MAX;

/// Why an attempt failed, as far as policy cares.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "class")]
pub enum FailureClass {
    /// May work next time; costs an attempt.
    Transient,
    /// The other side said when to come back; costs no attempt.
    RateLimited { until: Timestamp },
    /// Will never work as it is.
    Permanent,
    /// A person must renew credentials first.
    CredentialsExpired,
    /// The handler stopped because it was asked to.
    Cancelled,
    /// The job's timeout passed.
    Timeout,
    /// The handler panicked: a failed attempt like any other.
    Panicked,
}

impl FailureClass {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::RateLimited { .. } => "rate_limited",
            Self::Permanent => "permanent",
            Self::CredentialsExpired => "credentials_expired",
            Self::Cancelled => "cancelled",
            Self::Timeout => "timeout",
            Self::Panicked => "panicked",
        }
    }
}

/// A classified failure: a stable code, a sentence and a hint for people. Never a secret, never a payload (I10).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    #[serde(flatten)]
    pub class: FailureClass,
    /// Stable, snake_case: programs may match on it.
    pub code: String,
    /// One sentence, lower case, no final period.
    pub message: String,
    /// What to do about it, where something can be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The earliest next attempt the other side asked for; a floor under the policy's delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

impl Failure {
    pub fn new(class: FailureClass, code: impl Into<String>, message: impl Into<String>) -> Self {
        let message = cut(message.into(), FAILURE_MESSAGE_BYTES_MAX);
        Self { class, code: code.into(), message, hint: None, not_before: None }
    }

    pub fn transient(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(FailureClass::Transient, code, message)
    }

    pub fn permanent(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(FailureClass::Permanent, code, message)
    }

    pub fn rate_limited(until: Timestamp, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(FailureClass::RateLimited { until }, code, message)
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn not_before(mut self, at: Timestamp) -> Self {
        self.not_before = Some(at);
        self
    }
}

fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.push('…');
    }
    text
}

/// What a handler said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Done; the result as JSON text, if there is one.
    Succeeded {
        result: Option<Box<str>>,
    },
    Failed(Failure),
    /// Nothing was done and nothing is wrong: the kind is unknown here, or the worker drains. Costs no attempt.
    Deferred {
        reason: crate::WaitingFor,
        key: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let failure = Failure::permanent("x", "é".repeat(FAILURE_MESSAGE_BYTES_MAX));
        assert!(failure.message.len() <= FAILURE_MESSAGE_BYTES_MAX + '…'.len_utf8());
        assert!(failure.message.ends_with('…'));
    }

    #[test]
    fn a_failure_reads_back_as_written() {
        let failure = Failure::rate_limited(Timestamp::from_micros(1), "http_429", "slow down").with_hint("wait");
        let text = serde_json::to_string(&failure).expect("serializes");
        assert_eq!(serde_json::from_str::<Failure>(&text).expect("reads"), failure);
    }
}
