//! What people do to jobs that are there: one at a time, or many as an operation that goes on step by step.

use async_trait::async_trait;
use domain::{Emission, JobId, NewOperation, Operation, OperationId, Priority, TenantId, Timestamp};

use crate::{ActError, Actor, Replay, StoreError};

/// What one step of an operation did.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// The operation after it.
    pub operation: Operation,
    pub emissions: Vec<Emission>,
    /// The earliest time a new timer is due, if this step made one.
    pub next_timer: Option<Timestamp>,
    /// Running jobs that were asked to stop.
    pub asked: Vec<JobId>,
    /// It did nothing, because the operation's canaries have not ended yet.
    pub waits: bool,
}

/// Acts on jobs that are there. What each of them comes to is decided by [`domain::Act::consequence`]: an act that changes
/// nothing (a job that is queued and shall run now) is no error, and one that the job does not allow is
/// [`ActError::Illegal`] with its state. Each act on one job leaves an audit row, `job.<name of the act>`, and if it changed
/// something a timeline entry, in its own transaction (I12). What is kept in both of the reason and of what was asked for is
/// a JSON object.
#[async_trait]
pub trait Steering: Send + Sync {
    /// Moves a waiting or queued job into another class. A queued one is emitted in it; hints of the old class are noise.
    async fn reprioritize(&self, by: &Actor, id: JobId, priority: Priority, reason: Option<&str>) -> Result<Replay, ActError>;

    /// Lets a queued job, or one that waits for a time, wait until `run_at`. A time that has passed means now, as in
    /// [`Steering::run_now`]. Its `start_before` stays as it is; before its first claim it is due anew at that time.
    async fn reschedule(&self, by: &Actor, id: JobId, run_at: Timestamp, reason: Option<&str>) -> Result<Replay, ActError>;

    /// Queues a job that waits for a time: for its first, for a retry, for a rate limit. Before its first claim it is due anew.
    async fn run_now(&self, by: &Actor, id: JobId, reason: Option<&str>) -> Result<Replay, ActError>;

    /// Records an operation on the actor's tenant's jobs, and does nothing to them yet. Only jobs that are there by then (for
    /// dead letters: deaths) are touched. Repeating it under its id is harmless: the operation is returned as it is now. One
    /// audit row, `operation.begin`, whose target is the operation's id.
    async fn operation_begin(&self, by: &Actor, new: &NewOperation) -> Result<Operation, StoreError>;

    /// Does the next step of the operation that has waited longest for its turn; `None`: none has anything to do now. At most
    /// `limit` jobs are looked at, newest first, and a filter's scan is bounded like a listing's. Acts, counts and the place
    /// to go on are one transaction, so that steps of many callers never act on a job twice for one operation.
    ///
    /// Each job that the target names counts as looked at, and then as done, or as skipped: not there any more, not the
    /// tenant's, as asked for already, or in a state that does not allow it. A job to which it was done has a timeline entry
    /// whose data names the operation (`{"operation": "<id>", "reason": …}` and what was asked for), and no audit row of its
    /// own. At the operation's end, an audit row `operation.end` with its counts.
    ///
    /// With a canary, the operation becomes [`domain::OperationState::Canary`] as soon as it was done to that many, and looks
    /// for their ends every [`domain::bounds::CANARIES_LOOK_EVERY`]. When all have succeeded it goes on. When one ended
    /// otherwise or is gone, or when they have not ended after [`domain::bounds::CANARIES_WAIT_MAX`], it is halted; `error`
    /// says which job and why. A target that holds no more than the canaries waits for nothing.
    async fn operation_step(&self, limit: usize) -> Result<Option<Step>, StoreError>;

    async fn operation(&self, tenant: &TenantId, id: OperationId) -> Result<Option<Operation>, StoreError>;

    /// The tenant's operations, newest first.
    async fn operations(&self, tenant: &TenantId, limit: usize) -> Result<Vec<Operation>, StoreError>;
}
