//! What a worker does to jobs: claim, renew, settle, park, and account for effects. Every write about a running
//! job carries (worker, run) and touches nothing when they do not match (I3).

use async_trait::async_trait;
use domain::{
    ClaimId, ClaimedJob, Class, ClassMark, EffectState, Emission, EmissionId, Failure, JobId, KindInfo, Pace, Progress, Run, Timestamp,
    WaitingFor, WorkerId,
};

use crate::{StoreError, WorkError};

/// A worker as it introduces itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkerRegistration {
    /// New at each process start and after each self-fence.
    pub id: WorkerId,
    pub name: String,
    pub host: String,
    pub pid: u32,
    pub slots: u32,
    pub version: String,
    pub kinds: Vec<KindInfo>,
}

/// A worker's sign of life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Renewal {
    pub worker: WorkerId,
    /// The store's time, read *before* `held` was: claims that were made later are not in it and are no strangers.
    pub as_of: Timestamp,
    /// Every claim it held or had in flight.
    pub held: Vec<ClaimId>,
    pub progress: Vec<(JobId, Run, Progress)>,
    /// How far it has come with the broker's hints; empty where there is no ledger.
    pub marks: Vec<ClassMark>,
    /// Claims that it held, and whose every job it has settled since it last said so: nothing runs under them any more.
    pub ended: Vec<ClaimId>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Renewed {
    /// Running jobs of this worker that somebody asked to cancel.
    pub cancels: Vec<(JobId, Run)>,
    /// Jobs started before `as_of` in claims it did not name (their replies were lost and not adopted): given back,
    /// attempt restored, like [`End::Deferred`].
    pub handed_back: usize,
    /// Callbacks of those that ended by it, because a cancel was requested.
    pub emissions: Vec<Emission>,
    /// Somebody asked this worker to drain.
    pub drain: bool,
    /// How long jobs of its queues take, where that matters to the broker.
    pub paces: Vec<Pace>,
}

/// A wish to run jobs of one class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Minted by the worker, so that a lost reply can be resolved by [`Work::adopt`].
    pub id: ClaimId,
    pub worker: WorkerId,
    pub class: Class,
    /// At most [`domain::bounds::FLUSH_JOBS_MAX`].
    pub jobs: Vec<JobId>,
    /// The ledger rows behind the hints; deleted with the claim, except when the worker is fenced.
    pub hints: Vec<EmissionId>,
}

/// What a claim took.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Claimed {
    /// In the order of [`Claim::jobs`].
    pub jobs: Vec<ClaimedJob>,
    /// Callbacks of jobs that expired by it.
    pub emissions: Vec<Emission>,
}

/// What became of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    Succeeded {
        result: Option<Box<str>>,
    },
    /// Costs the attempt; due again at `at` (waiting for `retry`).
    Retry {
        at: Timestamp,
        failure: Failure,
    },
    /// The attempt is given back, up to [`domain::bounds::FREE_DEFERRALS_MAX`] times since the job was new or replayed. After
    /// that it costs the attempt; at the last attempt the job is dead as `deferred_too_often`.
    Deferred {
        until: Until,
        failure: Option<Failure>,
    },
    Dead {
        failure: Failure,
    },
    Cancelled,
}

/// How long a parked or deferred job waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Until {
    Time {
        at: Timestamp,
        reason: WaitingFor,
    },
    /// Until `key` is freed: a row in the parking, no timer.
    Freed {
        reason: WaitingFor,
        key: String,
    },
}

/// One captured line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogLine {
    pub at: Timestamp,
    pub level: String,
    pub message: String,
}

/// The end of one attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settlement {
    pub job: JobId,
    pub run: Run,
    pub end: End,
    pub logs: Vec<LogLine>,
    /// Live output, kept for late readers.
    pub output: Option<String>,
    pub progress: Option<Progress>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settled {
    /// Those that were not this worker's at this run any more; nothing was written about them.
    pub lost: Vec<(JobId, Run)>,
    /// Callbacks of jobs that ended.
    pub emissions: Vec<Emission>,
    /// The earliest new timer, for the promoter.
    pub next_timer: Option<Timestamp>,
}

/// The effect a handler is about to make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EffectCall {
    pub worker: WorkerId,
    pub job: JobId,
    pub run: Run,
    /// Unique within the job: `deliver`.
    pub name: String,
    /// The key the other side sees.
    pub key: String,
}

/// How an effect ended, as far as is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EffectEnd {
    Confirmed {
        handle: String,
    },
    /// Known not to have happened.
    Failed,
    Unknown,
}

#[async_trait]
pub trait Work: Send + Sync {
    /// Announces a worker with a fresh lease of [`domain::bounds::LEASE_FOR`], and its kinds: their queues exist from then
    /// on, and intake validates against their schemas.
    async fn register(&self, worker: &WorkerRegistration) -> Result<(), StoreError>;

    /// Extends the lease by [`domain::bounds::LEASE_FOR`] from now, also one that is over as long as nobody acted on it. `Fenced`
    /// when the worker was declared dead or has retired.
    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, WorkError>;

    /// Ends a worker that has drained: its kinds no longer count as known. What it still runs is rescued.
    async fn retire(&self, worker: WorkerId) -> Result<(), StoreError>;

    /// Claims those of the named jobs that are `queued` in this class: state `running`, `run` and `attempt` +1. The rest is
    /// noise. A job whose start-before passed before its first start becomes `expired` instead. A first start is a claim
    /// that a handler may have seen: all but those that a renewal handed back as strangers, and those that ended in a
    /// deferral until a worker knows the kind ([`WaitingFor::NoWorker`]). What crashed counts as seen. The order of
    /// the reply is that of `jobs`. Jobs with a cancel request come back with it, for the caller to settle.
    async fn claim(&self, claim: &Claim) -> Result<Claimed, WorkError>;

    /// What a claim whose reply was lost took: to be run by the worker that minted it. Empty if it took nothing.
    async fn adopt(&self, worker: WorkerId, claim: ClaimId) -> Result<Vec<ClaimedJob>, WorkError>;

    /// Records ends. Repeating a settlement is harmless: the second finds the job already where it put it and
    /// counts as settled, not as lost. Any end but success becomes `cancelled` when a cancel was requested,
    /// and so does a deferral. Works without a live lease as long as nobody rescued the job. All of a call is one
    /// transaction: callers bound it by [`domain::bounds::FLUSH_JOBS_MAX`] and by bytes.
    async fn settle(&self, worker: WorkerId, settlements: &[Settlement]) -> Result<Settled, StoreError>;

    /// Moves queued jobs of one class to `waiting` before any claim: pauses, breakers, narrow limits known early. Attempts
    /// are untouched. Returns how many were still queued.
    async fn park(&self, class: &Class, jobs: &[JobId], until: &Until) -> Result<usize, StoreError>;

    /// Writes down the intent to make an effect, and returns what is known: [`EffectState::Confirmed`] means it must not be
    /// made again. An intent of an *earlier run* that never ended is reported as [`EffectState::Unknown`]. A different `key` than
    /// last time (after an edited replay) is a new effect. `Fenced` unless the job is this worker's at this run and the
    /// lease is live.
    async fn effect_begin(&self, call: &EffectCall) -> Result<EffectState, WorkError>;

    /// Records how the effect begun by the same call ended. Confirmed is final. A call whose run is over is `Fenced`.
    async fn effect_end(&self, call: &EffectCall, end: &EffectEnd) -> Result<(), WorkError>;
}
