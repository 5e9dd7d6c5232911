//! What can be done to many jobs at once, and how far is it?

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::Call;
use crate::new_job::text_of;
use crate::word::words;
use crate::{Answer, Client, Error, Id, JobFilter, Priority, Time};

/// What to do to each job of a selection.
///
/// ```
/// use flotilla_client::{Act, Priority};
/// let act = serde_json::to_string(&Act::Reprioritize { priority: Priority::Low })?;
/// assert_eq!(act, r#"{"action":"reprioritize","priority":"low"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Act {
    /// Stop them.
    Cancel,
    /// Run them again.
    Retry,
    /// Another share.
    Reprioritize {
        /// Which.
        priority: Priority,
    },
    /// Put them off until a time.
    Reschedule {
        /// Until when.
        run_at: Time,
    },
    /// Put them off by so much.
    #[serde(rename = "reschedule")]
    RescheduleIn {
        /// By how much, counted from when the operation began.
        #[serde(serialize_with = "as_text")]
        delay: Duration,
    },
    /// Queue them.
    RunNow,
}

fn as_text<S: serde::Serializer>(delay: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text_of(*delay))
}

words! {
    /// How far an operation is.
    OperationState {
        /// At it.
        Running = "running",
        /// The first few are on their way; the rest waits for their end.
        Canary = "canary",
        /// All jobs were looked at.
        Succeeded = "succeeded",
        /// One of the first few did not succeed: the rest was not touched.
        Halted = "halted",
    }
}

/// An act on many jobs.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Operation {
    /// Its id.
    pub id: Id,
    /// `cancel`, `retry`, `reprioritize`, `reschedule` or `run_now`.
    pub action: String,
    /// Why, for the audit log.
    #[serde(default)]
    pub reason: Option<String>,
    /// Who began it.
    #[serde(default)]
    pub actor: String,
    /// How far it is.
    pub state: OperationState,
    /// How many go first.
    #[serde(default)]
    pub canary: Option<u32>,
    /// Jobs that were looked at.
    #[serde(default)]
    pub looked_at: u64,
    /// Jobs that it was done to.
    #[serde(default)]
    pub done: u64,
    /// Jobs whose state did not allow it.
    #[serde(default)]
    pub skipped: u64,
    /// Why it halted.
    #[serde(default)]
    pub error: Option<String>,
    /// When it began.
    pub created_at: Time,
    /// When it last made a step.
    #[serde(default)]
    pub updated_at: Option<Time>,
    /// When it was over.
    #[serde(default)]
    pub finished_at: Option<Time>,
    /// Which jobs: `filter`, `ids` or `dead_letters`, and what else the act says.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}

/// Operations, newest first.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Operations {
    /// The latest of them.
    pub operations: Vec<Operation>,
}

#[derive(Serialize)]
struct Order<'a> {
    #[serde(flatten)]
    act: &'a Act,
    filter: &'a JobFilter,
    reason: &'a str,
}

impl Client {
    /// Begins an act on every job that a filter lets through now. It goes on by itself: see [`Client::operation`].
    ///
    /// # Errors
    /// `invalid_request`, also for an empty filter, and as every call. It is sent once.
    pub async fn bulk(&self, act: &Act, filter: &JobFilter, reason: &str) -> Result<Answer<Operation>, Error> {
        self.ask(&Call::post(&["v1", "jobs", "bulk"]).json(&Order { act, filter, reason })).await
    }

    /// How far an operation is.
    ///
    /// # Errors
    /// `not_found`, and as every call.
    pub async fn operation(&self, id: Id) -> Result<Answer<Operation>, Error> {
        self.ask(&Call::get(&["v1", "operations", &id.to_string()])).await
    }

    /// The latest operations, newest first.
    ///
    /// # Errors
    /// As every call.
    pub async fn operations(&self) -> Result<Answer<Operations>, Error> {
        self.ask(&Call::get(&["v1", "operations"])).await
    }
}
