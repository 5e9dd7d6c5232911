//! Makes jobs `queued` when their time has come, and `expired` when it has passed.

use std::sync::Arc;
use std::time::Duration;

use coordination::Nudge;
use store::Upkeep;

use super::PASS_ROWS_MAX;
use crate::duty::{Duty, DutyError, Next, Report};
use crate::emitter::Emitter;

/// Due timers, at their time.
pub struct Promote {
    upkeep: Arc<dyn Upkeep>,
    emitter: Emitter,
}

impl Promote {
    pub fn new(upkeep: Arc<dyn Upkeep>, emitter: Emitter) -> Self {
        Self { upkeep, emitter }
    }
}

impl Duty for Promote {
    const NAME: &'static str = "promote";

    fn every(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn heeds(&self, nudge: Nudge) -> bool {
        matches!(nudge, Nudge::Timer { .. })
    }

    async fn run(&self) -> Result<Report, DutyError> {
        let promoted = self.upkeep.promote(PASS_ROWS_MAX).await?;
        self.emitter.emit(&promoted.emissions).await?;
        let next = promoted.next_timer.map_or(Next::Idle, Next::At);
        let did = vec![("promoted", promoted.promoted), ("expired", promoted.expired), ("noise", promoted.noise)];
        Ok(Report { did, next })
    }
}
