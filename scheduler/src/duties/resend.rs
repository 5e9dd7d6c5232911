//! Tells the broker again what it may not know: after a start, a loss, or when it was full.

mod unconfirmed;

use std::sync::Arc;
use std::time::Duration;

use broker::Lack;
use coordination::Nudge;
use domain::bounds::RESEND_CLASS_IDS_MAX;
use store::{ClassNeed, Ledger, Upkeep};

use self::unconfirmed::Unconfirmed;
use crate::duty::{Duty, DutyError, Next, Report};
use crate::emitter::Emitter;

/// Queued jobs the broker may lack hints of.
pub struct Resend {
    upkeep: Arc<dyn Upkeep>,
    emitter: Emitter,
    unconfirmed: Option<Unconfirmed>,
}

impl Resend {
    /// With a ledger, also what it has no confirmation of.
    pub fn new(upkeep: Arc<dyn Upkeep>, emitter: Emitter, ledger: Option<Arc<dyn Ledger>>) -> Self {
        Self { upkeep, emitter, unconfirmed: ledger.map(Unconfirmed::new) }
    }

    /// Returns how many ids were sent.
    async fn refill(&self, lack: &Lack) -> Result<usize, DutyError> {
        let room = lack.room.min(RESEND_CLASS_IDS_MAX);
        let need = ClassNeed { class: lack.class.clone(), room };
        let due = self.upkeep.emissions_due(&[need], room).await?;
        let ids = due.emissions.iter().map(|emission| emission.jobs.len()).sum::<usize>();
        self.emitter.emit(&due.emissions).await?;
        if ids < room {
            self.emitter.broker().refilled(lack).await;
        }
        Ok(ids)
    }
}

impl Duty for Resend {
    const NAME: &'static str = "resend";

    fn every(&self) -> Duration {
        Duration::from_millis(if self.unconfirmed.is_some() { 1_000 } else { 500 })
    }

    fn heeds(&self, nudge: Nudge) -> bool {
        nudge == Nudge::Emissions && self.unconfirmed.as_ref().is_none_or(Unconfirmed::heeds_nudges)
    }

    async fn run(&self) -> Result<Report, DutyError> {
        let mut sent = 0;
        for lack in self.emitter.broker().lacks().await? {
            sent += self.refill(&lack).await?;
        }
        let (mut refused, mut next) = (0, Next::Idle);
        if let Some(unconfirmed) = &self.unconfirmed {
            let resent = unconfirmed.resend(&self.emitter).await?;
            sent += resent.sent;
            refused = resent.refused;
            next = if resent.goes_on { Next::Again } else { Next::Idle };
        }
        Ok(Report { did: vec![("sent", sent), ("refused", refused)], next })
    }
}
