//! What duties do to jobs. Every method is idempotent, bounded by `limit`, and may run in any number of processes. A job
//! whose record cannot be read, such as one of a newer version, is put off and logged: it never stops the others.

use std::time::Duration;

use async_trait::async_trait;
use domain::bounds::{DEAD_KEPT, STOPPED_KEPT, SUCCEEDED_KEPT};
use domain::{Class, Emission, JobState, Timestamp, WorkerId};

use crate::StoreError;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Promoted {
    /// Jobs that became `queued`.
    pub promoted: usize,
    /// Jobs that became `expired`.
    pub expired: usize,
    /// Timers that concerned nothing any more.
    pub noise: usize,
    pub emissions: Vec<Emission>,
    /// When the next timer is due; `None`: no timer at all. At or before now: call again.
    pub next_timer: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Released {
    pub released: usize,
    pub emissions: Vec<Emission>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rescued {
    /// Workers found dead in this pass.
    pub workers: Vec<WorkerId>,
    /// Jobs that wait for another attempt.
    pub retried: usize,
    /// Jobs that ended as `worker_lost`.
    pub dead: usize,
    /// Jobs that ended as cancelled, because that was asked for.
    pub cancelled: usize,
    pub emissions: Vec<Emission>,
}

/// Room for what comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Prepared {
    /// Spans of time that room was made for.
    pub made: usize,
    /// Whole spans after the present one that have room; engines that need none say 0.
    pub ahead: u32,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Retained {
    pub jobs: usize,
    pub keys: usize,
    pub workers: usize,
}

/// How long ended jobs are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    pub succeeded: Duration,
    pub dead: Duration,
    /// Cancelled and expired ones.
    pub stopped: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { succeeded: SUCCEEDED_KEPT, dead: DEAD_KEPT, stopped: STOPPED_KEPT }
    }
}

impl Retention {
    /// How long a job in this state is kept; `None`: it is live, and kept.
    pub const fn of(&self, state: JobState) -> Option<Duration> {
        match state {
            JobState::Succeeded => Some(self.succeeded),
            JobState::Dead => Some(self.dead),
            JobState::Cancelled | JobState::Expired => Some(self.stopped),
            JobState::Waiting | JobState::Queued | JobState::Running => None,
        }
    }

    /// An id older than this may have belonged to a job that is kept no longer.
    pub fn shortest(&self) -> Duration {
        self.succeeded.min(self.dead).min(self.stopped)
    }
}

/// What the broker says of one class, for [`Upkeep::emissions_due`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClassNeed {
    pub class: Class,
    /// How many ids it can take.
    pub room: usize,
}

/// Ids to hand to the broker again.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Emitted {
    pub emissions: Vec<Emission>,
}

#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Makes due jobs `queued` and late ones ([`crate::Work::claim`]) `expired`, earliest first. Only timers that still agree with their job count.
    async fn promote(&self, limit: usize) -> Result<Promoted, StoreError>;

    /// Frees parked jobs whose reason is gone: `no_worker` when a worker with a live lease knows the kind.
    /// In (priority, id) order.
    async fn release(&self, limit: usize) -> Result<Released, StoreError>;

    /// Gives back what dead workers run: leases decide, never age. A crash costs the attempt; at
    /// [`domain::bounds::CRASHES_MAX`] crashes or at the last attempt the job is dead as `worker_lost`.
    async fn rescue(&self, limit: usize) -> Result<Rescued, StoreError>;

    /// Declares every worker dead that registered before this process opened the store, when the adapter can know that (an
    /// exclusive lock on an embedded database): their jobs are rescued at the next pass without waiting for leases.
    async fn bury_predecessors(&self) -> Result<usize, StoreError>;

    /// What the broker must be told again. For a class with `room`, the queued jobs it may not hold (with a ledger: those it
    /// has not confirmed), oldest first; repeats are harmless. At most `limit` ids.
    async fn emissions_due(&self, needs: &[ClassNeed], limit: usize) -> Result<Emitted, StoreError>;

    /// Makes room for the jobs of the days to come, where an engine needs that: without it jobs cannot be recorded one day.
    async fn prepare(&self) -> Result<Prepared, StoreError> {
        Ok(Prepared::default())
    }

    /// Deletes what is kept no longer: ended jobs past their retention with all that belongs to them, expired
    /// keys, workers long dead, old audit rows, figures and operations that are over. Never a live job, nor one that an open key names: a remembered key finds
    /// its job. At most `limit` of each, but an engine that keeps jobs in tables by time may drop or compact one such table besides.
    async fn retain(&self, kept: &Retention, limit: usize) -> Result<Retained, StoreError>;
}
