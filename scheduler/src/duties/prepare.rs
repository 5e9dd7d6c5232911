//! Makes room for the jobs of the days to come, and says when little of it is left.

use std::sync::Arc;
use std::time::Duration;

use domain::bounds::PARTITIONS_AHEAD_MIN;
use store::Upkeep;
use telemetry::Metrics;

use crate::duty::{Duty, DutyError, Next, Report};

/// Partitions of the job table, ahead of time.
pub struct Prepare {
    upkeep: Arc<dyn Upkeep>,
    metrics: Arc<Metrics>,
}

impl Prepare {
    pub fn new(upkeep: Arc<dyn Upkeep>, metrics: Arc<Metrics>) -> Self {
        Self { upkeep, metrics }
    }
}

impl Duty for Prepare {
    const NAME: &'static str = "prepare";

    fn every(&self) -> Duration {
        Duration::from_secs(3_600)
    }

    async fn run(&self) -> Result<Report, DutyError> {
        let prepared = self.upkeep.prepare().await?;
        self.metrics.partitions_ahead.with_label_values::<&str>(&[]).set(prepared.ahead.into());
        if prepared.ahead < PARTITIONS_AHEAD_MIN {
            tracing::error!(
                duty = Self::NAME,
                count = prepared.ahead,
                "partitions of the job table are missing ahead of time: look at the database; when the last one is full, no job can be recorded"
            );
        }
        Ok(Report { did: vec![("made", prepared.made)], next: Next::Idle })
    }
}
