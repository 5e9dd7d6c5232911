//! Finds what the broker should hold and has lost without anybody noticing: workers have long claimed what came after it.

use std::sync::Arc;
use std::time::Duration;

use coordination::{Nudge, Nudges};
use store::Ledger;

use super::PASS_ROWS_MAX;
use crate::duty::{Duty, DutyError, Next, Report};

/// Confirmed ledger rows that nobody will ever claim.
pub struct Reconcile {
    ledger: Arc<dyn Ledger>,
    nudges: Arc<dyn Nudges>,
}

impl Reconcile {
    pub fn new(ledger: Arc<dyn Ledger>, nudges: Arc<dyn Nudges>) -> Self {
        Self { ledger, nudges }
    }
}

impl Duty for Reconcile {
    const NAME: &'static str = "reconcile";

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run(&self) -> Result<Report, DutyError> {
        let found = self.ledger.reconcile(PASS_ROWS_MAX).await?;
        if found.unsent > 0 {
            tracing::warn!(duty = Self::NAME, count = found.unsent, "the broker seems to have lost messages: they are sent again");
            self.nudges.nudge(Nudge::Emissions);
        }
        let full = found.unsent + found.settled >= PASS_ROWS_MAX;
        let did = vec![("unsent", found.unsent), ("settled", found.settled)];
        Ok(Report { did, next: if full { Next::Again } else { Next::Idle } })
    }
}
