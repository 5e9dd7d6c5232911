//! Nudges: "look now" between parts of the fleet. Lost ones cost time, never correctness.

use domain::{JobId, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nudge {
    /// Somebody asked to cancel this running job.
    Cancel { job: JobId },
    /// A timer was set for this time.
    Timer { at: Timestamp },
    /// A worker came with its kinds: parked jobs may be free.
    Kinds,
    /// Emissions were not taken by the broker.
    Emissions,
    /// An operation was begun.
    Operations,
}

/// Sends and hears nudges. Never blocks and never fails: what cannot be sent is found by the next look.
pub trait Nudges: Send + Sync {
    fn nudge(&self, nudge: Nudge);

    fn listen(&self) -> NudgeListener;
}

/// One listener's view.
#[derive(Debug)]
pub struct NudgeListener {
    receiver: broadcast::Receiver<Option<Nudge>>,
}

impl NudgeListener {
    /// What an adapter sends: a nudge, or `None` when it knows that some were missed.
    pub fn new(receiver: broadcast::Receiver<Option<Nudge>>) -> Self {
        Self { receiver }
    }

    /// The next nudge; `None` when some were missed: look at everything. Pends for ever when no sender is left.
    pub async fn next(&mut self) -> Option<Nudge> {
        match self.receiver.recv().await {
            Ok(nudge) => nudge,
            Err(broadcast::error::RecvError::Lagged(_)) => None,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
