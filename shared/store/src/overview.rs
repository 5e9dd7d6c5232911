//! What people read to see how the fleet is doing: who died of what, and how much gets done.

use std::time::Duration;

use async_trait::async_trait;
use domain::{Cursor, DeadFilter, JobId, KindName, Priority, QueueName, TenantId, Timestamp};

use crate::StoreError;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeadPage {
    pub filter: DeadFilter,
    pub after: Option<Cursor>,
    /// 1 to [`domain::bounds::PAGE_ROWS_MAX`].
    pub limit: usize,
}

/// A page of dead letters, newest id first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeadLetterPage {
    pub dead_letters: Vec<DeadLetter>,
    /// Where to go on; `None`: that was all. A rare filter may return a short page, or an empty one, although there is more.
    pub next: Option<Cursor>,
}

/// A dead job, as far as its death is concerned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeadLetter {
    pub job: JobId,
    pub queue: QueueName,
    pub kind: KindName,
    /// Deaths that look alike have the same.
    pub fingerprint: String,
    /// The error's code.
    pub reason: String,
    pub message: String,
    pub hint: Option<String>,
    pub attempts: u16,
    pub at: Timestamp,
}

/// Dead letters of one queue with one fingerprint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeadGroup {
    pub fingerprint: String,
    pub queue: QueueName,
    pub kind: KindName,
    pub reason: String,
    /// That of the latest death.
    pub message: String,
    pub count: u64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// The job that died last.
    pub sample: JobId,
}

/// Ended attempts of one kind in one class, in one minute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Throughput {
    /// When the minute began.
    pub minute: Timestamp,
    pub queue: QueueName,
    pub priority: Priority,
    pub kind: KindName,
    pub succeeded: u64,
    /// Attempts after which the job waits for a retry; what was put off is none.
    pub retried: u64,
    pub dead: u64,
    /// How long those that succeeded ran, in all.
    pub run: Duration,
    /// How long they had waited since they were due, in all.
    pub wait: Duration,
}

#[async_trait]
pub trait Overview: Send + Sync {
    /// The tenant's dead jobs.
    async fn dead_letters(&self, tenant: &TenantId, page: &DeadPage) -> Result<DeadLetterPage, StoreError>;

    /// The tenant's dead jobs that the filter names, by queue and fingerprint, the group with the most recent death first.
    async fn dead_groups(&self, tenant: &TenantId, filter: &DeadFilter, limit: usize) -> Result<Vec<DeadGroup>, StoreError>;

    /// Attempts of all tenants that ended in the minutes that began at `since` or later, oldest minute first: those settled
    /// by workers, and those that a rescue ended. Kept for [`domain::bounds::STATS_KEPT`].
    async fn throughput(&self, since: Timestamp) -> Result<Vec<Throughput>, StoreError>;
}
