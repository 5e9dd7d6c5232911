//! Effects happen once: intent before the request, the outcome after it, and an unknown outcome is never repeated blindly (I6).

use std::time::Duration;

use domain::{EffectPolicy, EffectState, Failure};
use store::{EffectCall, EffectEnd, WorkError};

use crate::JobContext;
use crate::holdings::StopWhy;
use crate::patience::Patience;

/// How long an effect's bookkeeping may take before the handler is told that the store is away.
const BOOKKEEPING_TIMEOUT: Duration = Duration::from_secs(5);
/// Tries to record an outcome before giving up; after that it counts as unknown.
const RECORD_TRIES: u32 = 3;

/// The code of a failure that means: a person must find out whether the effect happened.
pub(crate) const UNKNOWN: &str = "effect_unknown";

/// What the ledger says about an effect.
#[must_use]
pub enum Effect {
    /// It happened, in this run or an earlier one; what the other side called it. Don't make it again.
    Confirmed(String),
    /// Make it, then say how it ended.
    Make(Permit),
    /// It may have happened: ask the other side first, under the same key.
    Verify(Permit),
}

/// The right to make one effect. Dropped without a word, its outcome is unknown to later runs.
#[must_use = "say how the effect ended"]
pub struct Permit {
    cx: JobContext,
    call: EffectCall,
}

impl Permit {
    /// It happened; `handle` is what a repeated run will get instead of making it again.
    pub async fn confirm(self, handle: &str) -> Result<(), Failure> {
        self.end(EffectEnd::Confirmed { handle: handle.to_owned() }).await
    }

    /// It is known not to have happened.
    pub async fn failed(self) -> Result<(), Failure> {
        self.end(EffectEnd::Failed).await
    }

    /// It may have happened.
    pub async fn unknown(self) -> Result<(), Failure> {
        self.end(EffectEnd::Unknown).await
    }

    async fn end(self, end: EffectEnd) -> Result<(), Failure> {
        let mut patience = Patience::default();
        for _ in 0..RECORD_TRIES {
            let work = &self.cx.term().parts.work;
            match tokio::time::timeout(BOOKKEEPING_TIMEOUT, work.effect_end(&self.call, &end)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(WorkError::Fenced)) => return Err(fenced(&self.cx)),
                Ok(Err(WorkError::Store(error))) => {
                    tracing::warn!(job.id = %self.call.job, error = %telemetry::chain(&error), "an effect's outcome could not be recorded")
                }
                Err(_) => tracing::warn!(job.id = %self.call.job, "recording an effect's outcome took too long"),
            }
            patience.wait().await;
        }
        Err(away())
    }
}

pub(crate) async fn begin(cx: &JobContext, call: EffectCall) -> Result<Effect, Failure> {
    if !cx.term().lease.is_live() {
        return Err(fenced(cx));
    }
    let known = match tokio::time::timeout(BOOKKEEPING_TIMEOUT, cx.term().parts.work.effect_begin(&call)).await {
        Ok(Ok(known)) => known,
        Ok(Err(WorkError::Fenced)) => return Err(fenced(cx)),
        Ok(Err(WorkError::Store(error))) => {
            tracing::warn!(job.id = %call.job, error = %telemetry::chain(&error), "an effect's intent could not be recorded, so it is not made");
            return Err(away());
        }
        Err(_) => return Err(away()),
    };
    // The intent took time to commit; the lease may have ended meanwhile.
    if !cx.term().lease.is_live() {
        return Err(fenced(cx));
    }
    let permit = |call| Permit { cx: cx.clone(), call };
    match (known, cx.effects()) {
        (EffectState::Confirmed { handle }, _) => Ok(Effect::Confirmed(handle)),
        (EffectState::Intent, _) | (EffectState::Unknown, EffectPolicy::RepeatSameKey) => Ok(Effect::Make(permit(call))),
        (EffectState::Unknown, EffectPolicy::Verify) => Ok(Effect::Verify(permit(call))),
        (EffectState::Unknown, EffectPolicy::Hold) => {
            cx.hold(format!("effect:{}:{}", call.job, call.name));
            let message = format!("whether the effect `{}` happened is not known", call.name);
            Err(Failure::permanent(UNKNOWN, message).with_hint("find out, then cancel the job or replay it edited"))
        }
    }
}

/// This run of this job is over, whether or not the worker's lease is: only this job stops. Should the lease be over, too, the
/// next renewal says so.
fn fenced(cx: &JobContext) -> Failure {
    cx.stopper().stop(StopWhy::LeaseOver);
    Failure::transient("lease_over", "this run of the job is over, so it makes no effects any more")
}

fn away() -> Failure {
    Failure::transient("store_unavailable", "the effect ledger cannot be reached")
}
