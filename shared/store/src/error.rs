//! What can go wrong in a store, sorted by what the caller can do about it.

use domain::JobState;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// The store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not reachable, busy beyond its deadline, or shutting down: try again later. Whether the call
    /// took effect is unknown unless the method says how to find out.
    #[error("the store is unavailable while {doing}")]
    Unavailable {
        doing: &'static str,
        #[source]
        source: Source,
    },
    /// No space left where the store keeps its data: nothing was written; a person must make room.
    #[error("the store has no space left while {doing}")]
    Full {
        doing: &'static str,
        #[source]
        source: Source,
    },
    /// What was read or written breaks a rule of the store: a bug or a damaged database, never the user's fault.
    #[error("the store refused {doing}")]
    Broken {
        doing: &'static str,
        #[source]
        source: Source,
    },
}

impl StoreError {
    /// A word for metrics: `unavailable`, `full` or `broken`.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "unavailable",
            Self::Full { .. } => "full",
            Self::Broken { .. } => "broken",
        }
    }
}

/// A write about a running job could not be done.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The worker has no live lease: it must abort what it runs and go on under a new id.
    #[error("the worker's lease is over")]
    Fenced,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A batch of submissions could not be recorded; nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The idempotency key of item `index` was used for another request.
    #[error("the idempotency key of item {index} was used for another request")]
    KeyReused { index: usize },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An operator's action was not done.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// No such job, or not this tenant's.
    #[error("no such job")]
    NotFound,
    /// The job's present state does not allow it.
    #[error("the job is {0}")]
    Illegal(JobState),
    #[error(transparent)]
    Store(#[from] StoreError),
}
