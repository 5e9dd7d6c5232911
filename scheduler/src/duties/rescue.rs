//! Gives back what dead workers run. Leases decide, never age.

use std::sync::Arc;
use std::time::Duration;

use domain::bounds::LEASE_FOR;
use parking_lot::Mutex;
use store::{StoreError, Upkeep};
use tokio::time::Instant;

use super::PASS_ROWS_MAX;
use crate::Predecessors;
use crate::duty::{Duty, DutyError, Next, Report};
use crate::emitter::Emitter;

/// Two lease times: long enough for workers that were cut off, too, to renew or to record what they buffered.
const QUIET: Duration = LEASE_FOR.saturating_mul(2);
/// A shorter outage, with the time between two passes, ends no lease: the last renewal of each is a quarter of it ago at most.
const OUTAGE_MIN: Duration = Duration::from_secs(LEASE_FOR.as_secs() / 2);

/// Jobs of workers whose lease is over.
pub struct Rescue {
    upkeep: Arc<dyn Upkeep>,
    emitter: Emitter,
    patience: Mutex<QuietTime>,
}

/// When this rescuer may act: not right after it (re)gained the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QuietTime {
    Until(Instant),
    /// The store did not answer last time, or was not heard out.
    StoreAway,
    Over,
}

impl Rescue {
    pub fn new(upkeep: Arc<dyn Upkeep>, emitter: Emitter, predecessors: Predecessors) -> Self {
        let patience = match predecessors {
            Predecessors::MayLive => QuietTime::Until(Instant::now() + QUIET),
            Predecessors::Buried => QuietTime::Over,
        };
        Self { upkeep, emitter, patience: Mutex::new(patience) }
    }

    /// Whether it is too early to act. Then it only looks whether the store is there, so that no outage goes unnoticed.
    async fn is_quiet(&self) -> Result<bool, StoreError> {
        // Away until it answers: a pass may also end by being dropped.
        let before = std::mem::replace(&mut *self.patience.lock(), QuietTime::StoreAway);
        let until = match before {
            QuietTime::Over => return Ok(false),
            QuietTime::Until(until) if Instant::now() >= until => return Ok(false),
            QuietTime::Until(until) => Some(until),
            QuietTime::StoreAway => None,
        };
        // Not `rescue(0)`: that may declare workers dead.
        self.upkeep.release(0).await?;
        *self.patience.lock() = QuietTime::Until(until.unwrap_or_else(|| Instant::now() + QUIET));
        Ok(true)
    }
}

impl Duty for Rescue {
    const NAME: &'static str = "rescue";

    /// Of the 25 s in which a dead worker's jobs run elsewhere, the lease takes 20 and a first crash's backoff 1.
    fn every(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn run(&self) -> Result<Report, DutyError> {
        if self.is_quiet().await? {
            return Ok(Report { did: vec![("quiet", 1)], next: Next::Idle });
        }
        let began = Instant::now();
        let rescued = match self.upkeep.rescue(PASS_ROWS_MAX).await {
            Ok(rescued) => rescued,
            Err(error) => {
                // A pass that failed by itself, with the store there, is no outage to be quiet after. One that took long may have
                // been: then leases are over of workers that could not renew.
                if began.elapsed() < OUTAGE_MIN && self.upkeep.release(0).await.is_ok() {
                    *self.patience.lock() = QuietTime::Over;
                }
                return Err(error.into());
            }
        };
        *self.patience.lock() = QuietTime::Over;
        for worker in &rescued.workers {
            tracing::warn!(duty = Self::NAME, worker.id = %worker, "a worker's lease is over: giving back what it ran");
        }
        self.emitter.emit(&rescued.emissions).await?;
        let jobs = rescued.retried + rescued.dead + rescued.cancelled;
        let did = vec![
            ("workers", rescued.workers.len()),
            ("retried", rescued.retried),
            ("dead", rescued.dead),
            ("cancelled", rescued.cancelled),
        ];
        Ok(Report { did, next: if jobs >= PASS_ROWS_MAX { Next::Again } else { Next::Idle } })
    }
}
