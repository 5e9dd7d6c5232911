//! Deletes what is kept no longer.

use std::sync::Arc;
use std::time::Duration;

use store::{Retention, Upkeep};

use super::PASS_ROWS_MAX;
use crate::duty::{Duty, DutyError, Next, Report};

/// Ended jobs past their retention, expired keys, workers long dead.
pub struct Retain {
    upkeep: Arc<dyn Upkeep>,
    kept: Retention,
}

impl Retain {
    pub fn new(upkeep: Arc<dyn Upkeep>, kept: Retention) -> Self {
        Self { upkeep, kept }
    }
}

impl Duty for Retain {
    const NAME: &'static str = "retain";

    fn every(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn run(&self) -> Result<Report, DutyError> {
        let retained = self.upkeep.retain(&self.kept, PASS_ROWS_MAX).await?;
        let did = vec![("jobs", retained.jobs), ("keys", retained.keys), ("workers", retained.workers)];
        let full = did.iter().any(|(_, count)| *count >= PASS_ROWS_MAX);
        Ok(Report { did, next: if full { Next::Again } else { Next::Idle } })
    }
}
