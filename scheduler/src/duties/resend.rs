//! Tells the broker again what it may not know: after a start, a loss, or when it was full.

use std::sync::Arc;
use std::time::Duration;

use broker::Lack;
use coordination::Nudge;
use domain::bounds::RESEND_CLASS_IDS_MAX;
use store::{ClassNeed, Upkeep};

use crate::duty::{Duty, DutyError, Next, Report};
use crate::emitter::Emitter;

/// Queued jobs the broker may lack hints of.
pub struct Resend {
    upkeep: Arc<dyn Upkeep>,
    emitter: Emitter,
}

impl Resend {
    pub fn new(upkeep: Arc<dyn Upkeep>, emitter: Emitter) -> Self {
        Self { upkeep, emitter }
    }

    /// Returns how many ids were sent.
    async fn refill(&self, lack: &Lack) -> Result<usize, DutyError> {
        let room = lack.room.min(RESEND_CLASS_IDS_MAX);
        let need = ClassNeed { class: lack.class.clone(), room };
        let due = self.upkeep.emissions_due(&[need], room).await?;
        let ids = due.emissions.iter().map(|emission| emission.jobs.len()).sum::<usize>();
        self.emitter.emit(&due.emissions).await?;
        if ids < room {
            self.emitter.publisher().refilled(lack).await;
        }
        Ok(ids)
    }
}

impl Duty for Resend {
    const NAME: &'static str = "resend";

    fn every(&self) -> Duration {
        Duration::from_millis(500)
    }

    fn heeds(&self, nudge: Nudge) -> bool {
        nudge == Nudge::Emissions
    }

    async fn run(&self) -> Result<Report, DutyError> {
        let mut sent = 0;
        for lack in self.emitter.publisher().lacks().await? {
            sent += self.refill(&lack).await?;
        }
        Ok(Report { did: vec![("sent", sent)], next: Next::Idle })
    }
}
