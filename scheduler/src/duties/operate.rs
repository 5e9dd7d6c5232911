//! Carries on what operators began on many jobs, step by step.

use std::sync::Arc;
use std::time::Duration;

use coordination::{Nudge, Nudges};
use domain::bounds::OPERATION_STEP_JOBS;
use domain::{Operation, OperationState};
use store::{Steering, Step};
use tokio::time::Instant;

use crate::duty::{Duty, DutyError, Next, Report};
use crate::emitter::Emitter;

/// How long one pass goes on; what is left is the next one's.
const PASS_FOR: Duration = Duration::from_secs(10);

/// Operations, in turn.
pub struct Operate {
    steering: Arc<dyn Steering>,
    emitter: Emitter,
    nudges: Arc<dyn Nudges>,
}

/// What a pass did, by its words.
#[derive(Default)]
struct Tally {
    steps: usize,
    queued: usize,
    asked: usize,
    succeeded: usize,
    halted: usize,
}

impl Operate {
    pub fn new(steering: Arc<dyn Steering>, emitter: Emitter, nudges: Arc<dyn Nudges>) -> Self {
        Self { steering, emitter, nudges }
    }

    /// Tells of what a step did: what is not heard is found later, by timers, by the broker's refill, by workers' renewals.
    async fn tell(&self, step: &Step) -> Result<(), DutyError> {
        step.next_timer.into_iter().for_each(|at| self.nudges.nudge(Nudge::Timer { at }));
        step.asked.iter().for_each(|job| self.nudges.nudge(Nudge::Cancel { job: *job }));
        self.emitter.emit(&step.emissions).await
    }
}

impl Duty for Operate {
    const NAME: &'static str = "operate";

    fn every(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn heeds(&self, nudge: Nudge) -> bool {
        nudge == Nudge::Operations
    }

    async fn run(&self) -> Result<Report, DutyError> {
        let (began, mut tally) = (Instant::now(), Tally::default());
        while began.elapsed() < PASS_FOR {
            let Some(step) = self.steering.operation_step(OPERATION_STEP_JOBS).await? else {
                return Ok(Report { did: tally.did(), next: Next::Idle });
            };
            tally.count(&step);
            self.tell(&step).await?;
        }
        Ok(Report { did: tally.did(), next: Next::Again })
    }
}

impl Tally {
    fn count(&mut self, step: &Step) {
        self.steps += usize::from(!step.waits);
        self.queued += step.emissions.iter().map(|emission| emission.jobs.len()).sum::<usize>();
        self.asked += step.asked.len();
        let Operation { id, state, done, .. } = &step.operation;
        match state {
            OperationState::Running | OperationState::Canary => {}
            OperationState::Succeeded => {
                self.succeeded += 1;
                tracing::info!(duty = Operate::NAME, operation.id = %id, count = done, "an operation has looked at all its jobs");
            }
            OperationState::Halted => {
                self.halted += 1;
                tracing::warn!(duty = Operate::NAME, operation.id = %id, count = done, "an operation was halted by its canaries");
            }
        }
    }

    fn did(self) -> Vec<(&'static str, usize)> {
        let Self { steps, queued, asked, succeeded, halted } = self;
        vec![("steps", steps), ("queued", queued), ("asked", asked), ("succeeded", succeeded), ("halted", halted)]
    }
}
