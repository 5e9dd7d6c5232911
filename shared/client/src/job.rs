//! What does the API say about one job?

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::word::words;
use crate::{Id, Time};

words! {
    /// Where a job is in its life.
    State {
        /// Not before something: a time, a retry, a worker. See [`WaitingFor`].
        Waiting = "waiting",
        /// A worker may take it.
        Queued = "queued",
        /// On a worker.
        Running = "running",
        /// Its handler did it.
        Succeeded = "succeeded",
        /// Given up.
        Dead = "dead",
        /// Stopped by somebody.
        Cancelled = "cancelled",
        /// Not started in time.
        Expired = "expired",
    }
}

words! {
    /// Which share of the workers a job gets while all are busy.
    Priority {
        /// 16 parts of 31.
        Critical = "critical",
        /// 8 parts.
        High = "high",
        /// 4 parts; what is not said otherwise.
        Normal = "normal",
        /// 2 parts.
        Low = "low",
        /// 1 part.
        Bulk = "bulk",
    }
}

words! {
    /// What a waiting job waits for.
    WaitingFor {
        /// Its `run_at`.
        Time = "time",
        /// The next attempt.
        Retry = "retry",
        /// The other side said when.
        RateLimit = "rate_limit",
        /// No live worker knows its kind.
        NoWorker = "no_worker",
        /// An effect of unknown outcome is held for a person.
        Signal = "signal",
    }
}

impl State {
    /// Whether nothing follows by itself.
    ///
    /// ```
    /// use flotilla_client::State;
    /// assert!(State::Dead.is_end() && !State::Running.is_end());
    /// ```
    pub fn is_end(&self) -> bool {
        match self {
            Self::Succeeded | Self::Dead | Self::Cancelled | Self::Expired => true,
            Self::Waiting | Self::Queued | Self::Running | Self::Other(_) => false,
        }
    }
}

/// A job. Listings leave `payload` and `result` out.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Job {
    /// Its id, which also says when it was submitted.
    pub id: Id,
    /// Whose it is.
    #[serde(default)]
    pub tenant: String,
    /// What it is.
    pub kind: String,
    /// Where it waits.
    pub queue: String,
    /// Its share while all workers are busy.
    pub priority: Priority,
    /// Where it is in its life.
    pub state: State,
    /// What for, if it is waiting.
    #[serde(default)]
    pub waiting_for: Option<WaitingFor>,
    /// How often a worker took it.
    #[serde(default)]
    pub run: u32,
    /// Tries that count.
    #[serde(default)]
    pub attempt: u32,
    /// The tries there are at most.
    #[serde(default)]
    pub max_attempts: u32,
    /// How often its worker died under it.
    #[serde(default)]
    pub crashes: u32,
    /// Whether somebody asked it to stop while it ran.
    #[serde(default)]
    pub cancel_requested: bool,
    /// When it was submitted.
    pub created_at: Time,
    /// Not before this time.
    pub run_at: Time,
    /// Not started after this time.
    #[serde(default)]
    pub expires_at: Option<Time>,
    /// When its latest run began.
    #[serde(default)]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default)]
    pub finished_at: Option<Time>,
    /// Which worker runs or ran it.
    #[serde(default)]
    pub worker: Option<Id>,
    /// How far its handler says it is.
    #[serde(default)]
    pub progress: Option<Progress>,
    /// What it carries, word for word.
    #[serde(default)]
    pub payload: Option<Box<RawValue>>,
    /// What its handler left, if that is not large; see [`crate::Client::result`].
    #[serde(default)]
    pub result: Option<Box<RawValue>>,
    /// Why its last attempt failed.
    #[serde(default)]
    pub error: Option<Failure>,
    /// Words of its submitter.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The group it was submitted under.
    #[serde(default)]
    pub group: Option<String>,
    /// Who is told when it has ended.
    #[serde(default)]
    pub callback_url: Option<String>,
    /// How long one attempt may take, as the API writes it.
    #[serde(default)]
    pub timeout: Option<String>,
    /// The trace it belongs to.
    #[serde(default)]
    pub trace_id: String,
    /// In the answer to a submission: an earlier job has the same unique key, and this is that job.
    #[serde(default)]
    pub unique_conflict: bool,
}

/// How far a handler says it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Progress {
    /// 0 to 100.
    pub percent: u8,
    /// In words.
    #[serde(default)]
    pub message: Option<String>,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// `transient`, `permanent`, …
    #[serde(default)]
    pub class: String,
    /// Stable: programs may match on it.
    pub code: String,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// What to do about it.
    #[serde(default)]
    pub hint: Option<String>,
}

/// What happened to a job, oldest first.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Timeline {
    /// Each transition.
    pub timeline: Vec<Step>,
}

/// One transition.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Step {
    /// When.
    pub at: Time,
    /// In which run.
    pub run: u32,
    /// From nothing at its submission.
    #[serde(default)]
    pub from: Option<State>,
    /// The state since then.
    pub to: State,
    /// What for, if it is waiting since then.
    #[serde(default)]
    pub waiting_for: Option<WaitingFor>,
    /// `intake`, `worker:<id>`, `duty:<name>` or `key:<name>`.
    pub actor: String,
    /// What else is known.
    #[serde(default)]
    pub data: Option<Value>,
}

/// What handlers wrote.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Logs {
    /// For each run that wrote something.
    pub logs: Vec<AttemptLogs>,
}

/// What one run wrote.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct AttemptLogs {
    /// Which run.
    pub run: u32,
    /// Its log lines.
    #[serde(default)]
    pub lines: Vec<LogLine>,
    /// Its output.
    #[serde(default)]
    pub output: Option<String>,
}

/// A line of a handler's log.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct LogLine {
    /// When.
    pub at: Time,
    /// `INFO`, `WARN`, …
    pub level: String,
    /// What.
    pub message: String,
}
