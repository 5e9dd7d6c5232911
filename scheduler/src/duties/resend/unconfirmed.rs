//! Sends again what the ledger has no confirmation of, and asks for none while the broker does not take what it is given.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use domain::bounds::EMISSION_IDS_MAX;
use domain::{Emission, EmissionId};
use parking_lot::Mutex;
use store::Ledger;
use tokio::time::Instant;

use crate::duties::PASS_ROWS_MAX;
use crate::duty::DutyError;
use crate::emitter::Emitter;

/// Emissions the first pass sends at most, however many ids are in each.
const FIRST_STEP: usize = PASS_ROWS_MAX / EMISSION_IDS_MAX;
/// A nudge that comes sooner after the last look is left to the period: whatever a producer could not publish is not due for
/// seconds, and a broker that is full makes them all nudge.
const NUDGES_APART: Duration = Duration::from_millis(200);

/// What became of one pass, in ids.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Resent {
    pub sent: usize,
    pub refused: usize,
    /// There may be more, and the broker takes it.
    pub goes_on: bool,
}

pub(super) struct Unconfirmed {
    ledger: Arc<dyn Ledger>,
    state: Mutex<State>,
}

struct State {
    /// How many emissions a pass asks for: more while each holds few ids, so that a pass is about as many jobs as another.
    step: usize,
    /// What the broker did not take. It is offered first, and until it is taken the ledger is asked for nothing, because
    /// whatever it gives is put off.
    refused: Vec<Emission>,
    looked_at: Option<Instant>,
}

impl Unconfirmed {
    pub fn new(ledger: Arc<dyn Ledger>) -> Self {
        Self { ledger, state: Mutex::new(State { step: FIRST_STEP, refused: Vec::new(), looked_at: None }) }
    }

    pub fn heeds_nudges(&self) -> bool {
        let state = self.state.lock();
        state.refused.is_empty() && state.looked_at.is_none_or(|at| at.elapsed() >= NUDGES_APART)
    }

    pub async fn resend(&self, emitter: &Emitter) -> Result<Resent, DutyError> {
        // Of some passes ago: hints of what was claimed since are noise.
        let held = std::mem::take(&mut self.state.lock().refused);
        let first = self.offer(emitter, held).await?;
        if first.refused > 0 {
            return Ok(first);
        }
        let step = self.state.lock().step;
        let emissions = self.ledger.unconfirmed(step).await?;
        {
            let mut state = self.state.lock();
            state.looked_at = Some(Instant::now());
            state.step = next_step(step, ids(&emissions));
        }
        let resent = self.offer(emitter, emissions).await?;
        // Fewer than were asked for does not mean that there are no more: the ledger leaves out what was claimed. What it gives is
        // put off, so that this ends.
        Ok(Resent { sent: first.sent + resent.sent, refused: resent.refused, goes_on: resent.sent > 0 && resent.refused == 0 })
    }

    /// Offers, and keeps what was refused. What is lost by an error is due again by itself.
    async fn offer(&self, emitter: &Emitter, emissions: Vec<Emission>) -> Result<Resent, DutyError> {
        let taken: HashSet<EmissionId> = emitter.offer(&emissions).await?.into_iter().collect();
        let (sent, refused): (Vec<Emission>, Vec<Emission>) = emissions.into_iter().partition(|emission| taken.contains(&emission.id));
        let resent = Resent { sent: ids(&sent), refused: ids(&refused), goes_on: false };
        self.state.lock().refused = refused;
        Ok(resent)
    }
}

/// After a pass that asked for so many emissions and got so many ids.
fn next_step(step: usize, ids: usize) -> usize {
    if ids > PASS_ROWS_MAX || ids == 0 {
        FIRST_STEP
    } else if 2 * ids <= PASS_ROWS_MAX {
        (2 * step).min(PASS_ROWS_MAX)
    } else {
        step
    }
}

fn ids(emissions: &[Emission]) -> usize {
    emissions.iter().map(|emission| emission.jobs.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_about_a_thousand_ids() {
        let steps = |ids_each: usize| {
            let steps = std::iter::successors(Some(FIRST_STEP), |step| Some(next_step(*step, step * ids_each)));
            steps.take(7).collect::<Vec<_>>()
        };
        assert_eq!(steps(1), [31, 62, 124, 248, 496, 992, 992]);
        assert_eq!(steps(4), [31, 62, 124, 248, 248, 248, 248]);
        assert_eq!(steps(32), [31; 7]);
        assert_eq!(next_step(992, 992 * 32), FIRST_STEP, "they have become larger");
        assert_eq!((next_step(992, 3), next_step(31, 3)), (PASS_ROWS_MAX, 62), "most of what was due had been claimed");
        assert_eq!(next_step(992, 0), FIRST_STEP, "nothing is left");
    }
}
