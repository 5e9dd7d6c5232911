//! How large is the emission ledger?

use std::sync::Arc;
use std::time::Duration;

use store::{Ledger, Outstanding};
use telemetry::Metrics;

use crate::duty::{Duty, DutyError, Report};

/// Gauges that only the store can tell.
pub struct Stats {
    ledger: Arc<dyn Ledger>,
    metrics: Arc<Metrics>,
}

impl Stats {
    pub fn new(ledger: Arc<dyn Ledger>, metrics: Arc<Metrics>) -> Self {
        Self { ledger, metrics }
    }
}

impl Duty for Stats {
    const NAME: &'static str = "stats";

    fn every(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn run(&self) -> Result<Report, DutyError> {
        // Without an answer there is no number, rather than one of before (I15).
        let Outstanding { unconfirmed, confirmed } = self.ledger.outstanding().await.inspect_err(|_| self.metrics.emissions.reset())?;
        for (state, rows) in [("unconfirmed", unconfirmed), ("confirmed", confirmed)] {
            self.metrics.emissions.with_label_values(&[state]).set(i64::try_from(rows).unwrap_or(i64::MAX));
        }
        Ok(Report::default())
    }
}
