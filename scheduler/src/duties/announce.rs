//! Tells the world outside, through the broker, of jobs that died. At least once each.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use broker::BrokerError;
use domain::{DeadNotice, JobId};
use store::Ledger;

use crate::duty::{Duty, DutyError, Next, Report};
use crate::emitter::Emitter;

/// Deaths one pass announces at most.
const NOTICES_MAX: usize = 100;
/// How long the broker may take to confirm them; what it does later is told again.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_secs(20);

/// Dead letters that nobody outside was told of.
pub struct Announce {
    ledger: Arc<dyn Ledger>,
    emitter: Emitter,
}

impl Announce {
    pub fn new(ledger: Arc<dyn Ledger>, emitter: Emitter) -> Self {
        Self { ledger, emitter }
    }

    async fn tell(&self, notices: &[DeadNotice]) -> Result<HashSet<JobId>, BrokerError> {
        let late = |source| BrokerError::Unavailable { doing: "announcing dead jobs", source: Box::new(source) };
        let told = tokio::time::timeout(ANNOUNCE_TIMEOUT, self.emitter.broker().announce(notices)).await.map_err(late)??;
        Ok(told.into_iter().collect())
    }
}

impl Duty for Announce {
    const NAME: &'static str = "announce";

    fn every(&self) -> Duration {
        Duration::from_secs(2)
    }

    async fn run(&self) -> Result<Report, DutyError> {
        let mut notices = self.ledger.unannounced(NOTICES_MAX).await?;
        let found = notices.len();
        if found == 0 {
            return Ok(Report::default());
        }
        let told = self.tell(&notices).await?;
        notices.retain(|notice| told.contains(&notice.job));
        self.ledger.announced(&notices).await?;
        let untold = found - notices.len();
        let next = if found >= NOTICES_MAX && untold == 0 { Next::Again } else { Next::Idle };
        Ok(Report { did: vec![("announced", notices.len()), ("untold", untold)], next })
    }
}
