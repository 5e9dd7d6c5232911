//! What a duty is: an idempotent reconciler without input, run at a period and when nudged (I9).

use std::future::Future;
use std::time::Duration;

use broker::BrokerError;
use coordination::Nudge;
use domain::Timestamp;
use store::StoreError;

/// A pass failed; the next one is the retry.
#[derive(Debug, thiserror::Error)]
pub enum DutyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

/// When a duty wants to run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Next {
    /// After its period, or when nudged.
    #[default]
    Idle,
    /// At once: there was more than one pass could do.
    Again,
    /// At this time, if that is before its period is over.
    At(Timestamp),
}

/// What a pass did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Counts by a word from a fixed list; zeros may be left out.
    pub did: Vec<(&'static str, usize)>,
    pub next: Next,
}

/// One reconciler. Each pass is bounded and idempotent; any number of instances may run.
pub trait Duty: Send + Sync + 'static {
    /// Also the metric label.
    const NAME: &'static str;

    /// The longest time between two passes.
    fn every(&self) -> Duration;

    /// Whether this nudge is a reason to look now. Nudges carry no input: a pass always looks at everything.
    fn heeds(&self, _nudge: Nudge) -> bool {
        false
    }

    fn run(&self) -> impl Future<Output = Result<Report, DutyError>> + Send;
}
