//! Listings: what to show, where to go on.

use std::fmt;
use std::str::FromStr;

use crate::{IdError, JobId, JobState, KindName, QueueName, Timestamp};

/// Which jobs to list; an empty filter lists all of the tenant's.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct JobFilter {
    pub state: Option<JobState>,
    pub kind: Option<KindName>,
    pub queue: Option<QueueName>,
    pub tag: Option<String>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
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
