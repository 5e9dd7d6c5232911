//! Taking jobs in, and what people may do to them.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Emission, Job, JobId, KindInfo, NewJob, QueueName, TenantId};

use crate::{ActError, EnqueueError, StoreError};

/// Who acts: goes into the audit row and the job's timeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    pub tenant: TenantId,
    /// The name of the key or the user.
    pub name: String,
    /// The request this came in with.
    pub request_id: String,
}

/// An idempotency key that was used before and is still remembered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remembered {
    pub job: JobId,
    pub request_hash: [u8; 32],
}

/// How one submission was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acceptance {
    New,
    /// The same idempotency key and the same request: the job of back then.
    Replayed,
    /// A uniqueness window was open: the job that opened it.
    UniqueConflict,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    pub job: JobId,
    pub how: Acceptance,
}

/// What a call of [`Intake::enqueue`] recorded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Enqueued {
    /// One per submission, in its order.
    pub accepted: Vec<Accepted>,
    /// When the jobs were recorded, by the store's clock: their `created_at`.
    pub at: domain::Timestamp,
    /// What to hand to the broker.
    pub emissions: Vec<Emission>,
    /// The earliest time a new timer is due, if this call made one.
    pub next_timer: Option<domain::Timestamp>,
}

/// What an act on one job did.
#[derive(Clone, PartialEq, Debug)]
pub struct Replay {
    pub job: Job,
    pub emissions: Vec<Emission>,
    /// The earliest time a new timer is due, if this act made one.
    pub next_timer: Option<domain::Timestamp>,
}

/// Submissions, and the two acts that end a job or begin it again. Every action leaves an audit row and a timeline entry in its own
/// transaction (I12).
#[async_trait]
pub trait Intake: Send + Sync {
    /// What is remembered of these idempotency keys, in their order. For answering a repeated request before
    /// it is validated again; [`Intake::enqueue`] checks once more.
    async fn remembered(&self, tenant: &TenantId, keys: &[String]) -> Result<Vec<Option<Remembered>>, StoreError>;

    /// Records all `jobs` in one transaction, or none. Jobs due now become `queued`, later ones `waiting` for
    /// `time`. Concurrent calls share a commit; one call's failure never fails another's. Two submissions
    /// under one key, also inside one call: the second gets the first's job. An expired key or window is
    /// taken over. Repeating a call under the same ids, because its reply was lost, is harmless: what it
    /// recorded is answered with its own id, and nothing is recorded again.
    async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<Enqueued, EnqueueError>;

    /// Cancels a waiting or queued job at once; of a running one, records the request. Asking twice is no
    /// error while it runs. Returns the job as it is now, with the emissions of its callback, if any.
    async fn cancel(&self, by: &Actor, id: JobId, reason: Option<&str>) -> Result<Replay, ActError>;

    /// Runs a dead, cancelled or expired job again: `queued`, attempts, crashes and the cancel request reset, `run` kept,
    /// expiry dropped. An edited payload also changes the job's stable key (`.r<n>`), so that its effects are new ones.
    async fn retry(&self, by: &Actor, id: JobId, payload: Option<Arc<str>>) -> Result<Replay, ActError>;

    /// Every kind that any worker ever registered.
    async fn kinds(&self) -> Result<Vec<KindInfo>, StoreError>;

    /// The queues that exist: those declared and those that kinds use.
    async fn queues(&self) -> Result<Vec<QueueName>, StoreError>;

    /// Makes sure that these queues exist.
    async fn declare_queues(&self, queues: &[QueueName]) -> Result<(), StoreError>;
}
