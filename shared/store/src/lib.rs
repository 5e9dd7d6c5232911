//! `store` is the port through which everything reads and writes jobs. It does not connect, migrate or retry.
//!
//! Seven roles, each an object-safe trait of domain operations; one adapter implements them all, and an eighth, the ledger,
//! where the broker is a process of its own. What an adapter promises is what the contract suite (feature `contract`) checks, and
//! nothing else is promised.
//!
//! Three rules hold for every method:
//! - **Atomic.** A call happens whole or not at all, also when its future is dropped: dropping may lose
//!   the *reply*, never half of the work.
//! - **The store's clock.** No caller passes "now"; [`Store::now`] is the estimate of it for those who need one.
//! - **`queued` implies an emission** (I16): whatever makes jobs `queued` returns the emissions that list
//!   them; the caller hands those to the broker and need not succeed, because the upkeep re-sends.

mod access;
#[cfg(feature = "contract")]
pub mod contract;
mod error;
mod intake;
mod ledger;
mod mint;
mod overview;
mod reports;
mod steering;
mod upkeep;
mod work;

use std::sync::Arc;

use domain::Timestamp;

pub use access::{Access, ApiKey, AuditPage, AuditPageRows, AuditRow, Endpoint, NewApiKey, Scopes, UnknownScope};
pub use error::{ActError, EnqueueError, StoreError, WorkError};
pub use intake::{Acceptance, Accepted, Actor, Enqueued, Intake, Remembered, Replay};
pub use ledger::{Ledger, Outstanding, PoisonRow, Reconciled};
pub use mint::Mint;
pub use overview::{DeadGroup, DeadLetter, DeadLetterPage, DeadPage, Overview, Throughput};
pub use reports::{AttemptLog, Depth, JobPage, PageRequest, Reports, TimelineEntry, WorkerRow};
pub use steering::{Steering, Step};
pub use upkeep::{ClassNeed, Emitted, Prepared, Promoted, Released, Rescued, Retained, Retention, Upkeep};
pub use work::{
    Claim, Claimed, EffectCall, EffectEnd, End, LogLine, Renewal, Renewed, Settled, Settlement, Until, Work, WorkerRegistration,
};

/// Everything a store can do, for the composition root; roles take the one trait they need.
pub trait Store: Intake + Steering + Work + Upkeep + Reports + Overview + Access {
    /// The store's clock: the process's clock corrected by the measured offset.
    fn now(&self) -> Timestamp;
}

/// A store shared by the roles of a process.
pub type SharedStore = Arc<dyn Store>;
