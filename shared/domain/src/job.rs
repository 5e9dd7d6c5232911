//! A job as it is submitted, as a worker gets it, and as people see it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    ClaimId, Failure, JobId, JobState, KindName, Priority, QueueName, Run, TenantId, Timestamp, TraceContext, WaitingFor, WorkerId,
};

/// A validated submission, ready to be recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewJob {
    pub id: JobId,
    pub tenant: TenantId,
    pub kind: KindName,
    pub queue: QueueName,
    pub priority: Priority,
    /// The JSON text exactly as it was received.
    pub payload: Arc<str>,
    /// Not before this time; `None`: now.
    pub run_at: Option<Timestamp>,
    /// Expires when its first start did not happen before this time.
    pub start_before: Option<Timestamp>,
    pub max_attempts: u16,
    pub timeout: Duration,
    pub tags: Vec<String>,
    pub group: Option<String>,
    /// Told, by a `webhooks.deliver` job of the same tenant, when the job has ended.
    pub callback_url: Option<String>,
    pub unique: Option<Unique>,
    pub idempotency: Option<Idempotency>,
    pub trace: TraceContext,
}

/// A uniqueness window: while it is open, further jobs under its key are refused in favour of the first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unique {
    pub key: String,
    /// How long the window stays open; `None`: until the job ends.
    pub window: Option<Duration>,
}

/// An idempotency key and what it was used for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Idempotency {
    pub key: String,
    /// SHA-256 over the request in canonical JSON.
    pub request_hash: [u8; 32],
}

/// What a worker holds while it runs a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimedJob {
    pub id: JobId,
    pub run: Run,
    pub claim: ClaimId,
    pub tenant: TenantId,
    pub kind: KindName,
    pub queue: QueueName,
    pub priority: Priority,
    pub payload: Arc<str>,
    pub attempt: u16,
    pub max_attempts: u16,
    pub timeout: Duration,
    /// When it was accepted, or when it was due if that is later.
    pub due_at: Timestamp,
    pub started_at: Timestamp,
    pub cancel_requested: bool,
    /// How often it was replayed with an edited payload: part of the stable idempotency key.
    pub edits: u16,
    pub trace: TraceContext,
}

impl ClaimedJob {
    /// The key under which external effects of this job are made, the same on every attempt (I6):
    /// the job's id, plus `.r<n>` after an edited replay.
    pub fn stable_key(&self) -> String {
        if self.edits == 0 { self.id.to_string() } else { format!("{}.r{}", self.id, self.edits) }
    }
}

/// How far a running job has come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// 0 to 100.
    pub percent: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A job as people see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Job {
    pub id: JobId,
    pub tenant: TenantId,
    pub kind: KindName,
    pub queue: QueueName,
    pub priority: Priority,
    pub state: JobState,
    pub waiting_for: Option<WaitingFor>,
    pub run: Run,
    pub attempt: u16,
    pub max_attempts: u16,
    pub crashes: u16,
    pub cancel_requested: bool,
    pub timeout: Duration,
    pub created_at: Timestamp,
    /// The next or last time it was due.
    pub run_at: Timestamp,
    pub start_before: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub worker: Option<WorkerId>,
    pub progress: Option<Progress>,
    pub payload: Arc<str>,
    pub result: Option<Arc<str>>,
    /// Why the last attempt failed.
    pub error: Option<Failure>,
    pub tags: Vec<String>,
    pub group: Option<String>,
    pub callback_url: Option<String>,
    pub trace: TraceContext,
}
