//! Frees parked jobs whose reason is gone.

use std::sync::Arc;
use std::time::Duration;

use coordination::Nudge;
use store::Upkeep;

use super::PASS_ROWS_MAX;
use crate::duty::{Duty, DutyError, Next, Report};
use crate::emitter::Emitter;

/// Jobs that waited for a worker that knows their kind.
pub struct Release {
    upkeep: Arc<dyn Upkeep>,
    emitter: Emitter,
}

impl Release {
    pub fn new(upkeep: Arc<dyn Upkeep>, emitter: Emitter) -> Self {
        Self { upkeep, emitter }
    }
}

impl Duty for Release {
    const NAME: &'static str = "release";

    /// Also the pace at which a job that met a worker of another kind is offered again.
    fn every(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn heeds(&self, nudge: Nudge) -> bool {
        nudge == Nudge::Kinds
    }

    async fn run(&self) -> Result<Report, DutyError> {
        let released = self.upkeep.release(PASS_ROWS_MAX).await?;
        self.emitter.emit(&released.emissions).await?;
        let next = if released.released >= PASS_ROWS_MAX { Next::Again } else { Next::Idle };
        Ok(Report { did: vec![("released", released.released)], next })
    }
}
