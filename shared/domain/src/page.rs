//! Listings: what to show, where to go on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{IdError, JobId, JobState, KindName, QueueName, Search, Timestamp};

/// Which jobs to list; an empty filter lists all of the tenant's. As JSON it refuses names it does not know: a filter of a
/// newer version that is half understood names more jobs than were meant.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<JobState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<KindName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_after: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_before: Option<Timestamp>,
    /// Text to search for, of 1 to [`crate::bounds::SEARCH_CHARS_MAX`] characters; see [`Search`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
}

impl JobFilter {
    /// It names nothing, and so all jobs of the tenant.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What stores look for, if a text is searched for.
    pub fn search(&self) -> Option<Search> {
        self.q.as_deref().map(Search::of)
    }
}

/// Which dead letters to list; an empty filter lists all of the tenant's. Half of it is worse than none, as for [`JobFilter`].
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeadFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<KindName>,
    /// Deaths that look alike have the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The code of the error that the job died of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Later than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_after: Option<Timestamp>,
    /// Earlier than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_before: Option<Timestamp>,
}

impl DeadFilter {
    /// It names nothing, and so all dead letters of the tenant.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a listing goes on: strictly older than this job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor(pub JobId);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Cursor {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(Self)
    }
}
