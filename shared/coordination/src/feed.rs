//! The live feed of a job: progress, output and log lines while it runs, with ids from which a reader can resume.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use domain::{JobId, Progress, Run};
use serde::{Deserialize, Serialize};

use crate::CoordinationError;

/// An event's place: minted by the worker, rising within a job, without holes inside a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FeedId {
    pub run: Run,
    /// From 1 in each run.
    pub seq: u64,
}

impl fmt::Display for FeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.run, self.seq)
    }
}

impl FromStr for FeedId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("`{}` is not an event id (expected <run>-<seq>)", text.chars().take(64).collect::<String>());
        let (run, seq) = text.split_once('-').ok_or_else(error)?;
        Ok(Self { run: run.parse().map_err(|_| error())?, seq: seq.parse().map_err(|_| error())? })
    }
}

/// What happened. Changes of state are not here: they come from the store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum FeedEvent {
    Progress(Progress),
    Output {
        text: String,
    },
    Log {
        level: String,
        message: String,
    },
    /// The run is over: nothing follows in this run.
    Ended,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeedEntry {
    pub id: FeedId,
    pub event: FeedEvent,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FeedPage {
    pub entries: Vec<FeedEntry>,
    /// Entries between the asked-for place and the first of these are gone.
    pub gap: bool,
}

/// Bounded per job in events and in bytes; the oldest events go first, the newest always stays.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Adds to the end. An event that is not newer than the last one changes nothing: it was doubled, or its worker was
    /// replaced by a later run.
    async fn append(&self, job: JobId, entry: FeedEntry) -> Result<(), CoordinationError>;

    /// Up to `limit` entries after `after` (or from the oldest that is kept), without waiting.
    async fn read(&self, job: JobId, after: Option<FeedId>, limit: usize) -> Result<FeedPage, CoordinationError>;

    /// Like [`Feed::read`], but waits for at least one entry. The caller sets the deadline; dropping loses nothing.
    async fn follow(&self, job: JobId, after: Option<FeedId>, limit: usize) -> Result<FeedPage, CoordinationError>;
}
