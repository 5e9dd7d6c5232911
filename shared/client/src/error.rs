//! What can go wrong with a call, sorted by what the caller can do about it?

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::Id;

/// A call did not succeed.
///
/// ```
/// use flotilla_client::Error;
///
/// fn advice(error: &Error) -> &'static str {
///     match error {
///         Error::Problem(problem) if problem.code == "unknown_kind" => "start a worker that knows it",
///         error if error.is_temporary() => "try again later",
///         _ => "look at the message",
///     }
/// }
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody answered, or the connection broke. Whether a call that changes something took effect is not known.
    #[error("could not reach {url}: {why}")]
    Unreachable {
        /// The server, without login.
        url: String,
        /// What the connection said.
        why: String,
    },
    /// The server refused, and said why.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The answer is not one of this API: another program listens there, or the answer is larger than is allowed.
    #[error("{url} answered {status}, but not with what this client understands: {why}")]
    Unexpected {
        /// The server, without login.
        url: String,
        /// The answer's status.
        status: u16,
        /// What is wrong with it.
        why: String,
    },
    /// The address or the key cannot be used at all.
    #[error("{why}")]
    Unusable {
        /// What is wrong with it; never the key.
        why: String,
    },
    /// The job has not ended within the time that it was waited for. It goes on.
    #[error("job {id} has not ended within {}", seconds(.within))]
    NotEnded {
        /// The job.
        id: Id,
        /// How long it was waited for.
        within: Duration,
    },
}

impl Error {
    /// Whether the same call may well succeed a little later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NotEnded { .. } => true,
            Self::Problem(problem) => TEMPORARY.contains(&problem.status),
            Self::Unexpected { status, .. } => matches!(status, 502..=504),
            Self::Unusable { .. } => false,
        }
    }

    /// The stable code of a refusal.
    pub fn code(&self) -> Option<&str> {
        self.problem().map(|problem| problem.code.as_str())
    }

    /// The refusal, if it is one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            Self::Unreachable { .. } | Self::Unexpected { .. } | Self::Unusable { .. } | Self::NotEnded { .. } => None,
        }
    }

    /// Whether the thing does not exist, or not for this key.
    pub fn is_not_found(&self) -> bool {
        self.problem().is_some_and(|problem| problem.status == 404)
    }
}

/// Statuses that say "not now".
const TEMPORARY: [u16; 5] = [408, 429, 502, 503, 504];

fn seconds(within: &Duration) -> String {
    format!("{} s", within.as_secs_f64())
}

/// What the server said about a refusal (RFC 9457). Programs match on `code`; it never changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Problem {
    /// The status of the answer.
    pub status: u16,
    /// Stable, `snake_case`.
    pub code: String,
    /// The sort of refusal, for people.
    pub title: String,
    /// This refusal, for people.
    pub detail: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// By which the server's log knows it.
    pub request_id: String,
    /// Each thing that is wrong with the input.
    pub errors: Vec<Invalid>,
    /// The job's state, where that stands in the way.
    pub state: Option<String>,
    /// When to try again at the earliest.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

/// One thing that is wrong with the input.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Invalid {
    /// A JSON pointer into the request's body, or `?name` for a query parameter.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = if self.detail.is_empty() { &self.title } else { &self.detail };
        write!(f, "{sentence} (code {}, request {})", self.code, self.request_id)
    }
}
