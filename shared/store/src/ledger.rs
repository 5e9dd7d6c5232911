//! The emission ledger: one row per broker message, written in the transaction that queues its jobs, deleted by the claim that
//! takes them. Only stores beside a broker of its own have one; the embedded broker is rebuilt from `queued` instead.

use async_trait::async_trait;
use domain::{DeadNotice, Emission, EmissionId, PoisonMessage, Timestamp, Unsent};

use crate::StoreError;

/// What a pass of [`Ledger::reconcile`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reconciled {
    /// Rows that the broker should hold and seems to have lost: they are to be sent again.
    pub unsent: usize,
    /// Rows none of whose jobs is queued under them any more: deleted.
    pub settled: usize,
}

/// A broker message that was no hint, as it was recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoisonRow {
    pub at: Timestamp,
    pub message: PoisonMessage,
}

/// What keeps store and broker in step. Rows are unconfirmed until the broker's confirmation is recorded; the others are
/// exactly what the broker must be holding.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Unconfirmed emissions whose time has come to be sent again, oldest first, each put off for the next time: 5 s after it
    /// was written, then doubling up to 60 s. At most `limit` emissions.
    async fn unconfirmed(&self, limit: usize) -> Result<Vec<Emission>, StoreError>;

    /// The broker has confirmed these, published at those times. Unknown ones were claimed meanwhile.
    async fn sent(&self, confirmed: &[(EmissionId, Timestamp)]) -> Result<(), StoreError>;

    /// The broker may have lost these: confirmed rows count as unconfirmed again, due at once. At most `limit` rows in a call;
    /// returns how many. For a class found empty, rows that a live worker may hold are left alone.
    async fn unsent(&self, what: &Unsent, limit: usize) -> Result<usize, StoreError>;

    /// Finds confirmed rows that were published 15 s ago or more, and before what workers have since claimed of their class,
    /// and that no worker holds. Rows with queued jobs become unconfirmed, others are deleted. At most `limit` rows.
    async fn reconcile(&self, limit: usize) -> Result<Reconciled, StoreError>;

    /// Dead jobs that nobody outside was told of, oldest first.
    async fn unannounced(&self, limit: usize) -> Result<Vec<DeadNotice>, StoreError>;

    /// These were announced. Jobs that died again meanwhile stay unannounced.
    async fn announced(&self, notices: &[DeadNotice]) -> Result<(), StoreError>;

    /// Keeps broker messages that were no hints, for people to look at. Bounded: the oldest go first.
    async fn record_poison(&self, messages: &[PoisonMessage]) -> Result<(), StoreError>;

    /// The latest of them, newest first.
    async fn poison(&self, limit: usize) -> Result<Vec<PoisonRow>, StoreError>;

    /// How many emissions are unconfirmed, and how many the broker must be holding.
    async fn outstanding(&self) -> Result<Outstanding, StoreError>;
}

/// The size of the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outstanding {
    pub unconfirmed: u64,
    pub confirmed: u64,
}
