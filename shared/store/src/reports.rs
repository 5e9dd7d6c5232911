//! What people read. Every query names its tenant (I17); another tenant's job does not exist.

use async_trait::async_trait;
use domain::{Cursor, Job, JobFilter, JobId, JobState, Priority, QueueName, Run, TenantId, Timestamp, WaitingFor, WorkerId};

use crate::{LogLine, StoreError};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageRequest {
    pub filter: JobFilter,
    pub after: Option<Cursor>,
    /// 1 to [`domain::bounds::PAGE_ROWS_MAX`].
    pub limit: usize,
}

/// A page of jobs, newest first.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct JobPage {
    pub jobs: Vec<Job>,
    /// Where to go on; `None`: that was all.
    pub next: Option<Cursor>,
    /// Set when the bounded scan stopped before the page was full: everything newer was looked at.
    pub scanned_until: Option<Timestamp>,
}

/// One step of a job's life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimelineEntry {
    pub at: Timestamp,
    pub run: Run,
    /// `None`: it did not exist yet.
    pub from: Option<JobState>,
    pub to: JobState,
    pub waiting_for: Option<WaitingFor>,
    /// `worker:<id>`, `duty:rescue`, `key:<name>`.
    pub actor: String,
    /// Details as JSON text: a failure, a reason.
    pub data: Option<String>,
}

/// What one attempt wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttemptLog {
    pub run: Run,
    pub lines: Vec<LogLine>,
    pub output: Option<String>,
}

/// How much waits in one class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Depth {
    pub queue: QueueName,
    pub priority: Priority,
    pub queued: u64,
    /// When the oldest of them was accepted.
    pub oldest: Option<Timestamp>,
}

/// A worker process and what it runs now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkerRow {
    pub id: WorkerId,
    pub name: String,
    pub host: String,
    pub pid: u32,
    pub slots: u32,
    pub version: String,
    pub live: bool,
    pub lease_until: Timestamp,
    pub running: u64,
}

#[async_trait]
pub trait Reports: Send + Sync {
    /// Fails when the store cannot answer within its deadline, could not write for lack of space the last time it tried, or
    /// has not got done within its deadline what it was to write.
    async fn ping(&self) -> Result<(), StoreError>;

    async fn job(&self, tenant: &TenantId, id: JobId) -> Result<Option<Job>, StoreError>;

    /// Several jobs in the order of `ids`, without payload and result; those that do not exist are left out.
    async fn jobs_by_id(&self, tenant: &TenantId, ids: &[JobId]) -> Result<Vec<Job>, StoreError>;

    /// A page without payloads and results: what a page holds must be bounded (I7). Dead jobs are found at once, however few
    /// there are: their dead letters are looked through, not the jobs.
    async fn jobs(&self, tenant: &TenantId, page: &PageRequest) -> Result<JobPage, StoreError>;

    /// Every recorded transition, oldest first, from the submission on; empty for a job that does not exist.
    async fn timeline(&self, tenant: &TenantId, id: JobId) -> Result<Vec<TimelineEntry>, StoreError>;

    /// What the job's attempts wrote, oldest first.
    async fn logs(&self, tenant: &TenantId, id: JobId) -> Result<Vec<AttemptLog>, StoreError>;

    /// Queued jobs of all tenants by class; classes with none are left out.
    async fn depths(&self) -> Result<Vec<Depth>, StoreError>;

    /// Jobs of all tenants that are running now.
    async fn running(&self) -> Result<u64, StoreError>;

    async fn workers(&self) -> Result<Vec<WorkerRow>, StoreError>;
}
