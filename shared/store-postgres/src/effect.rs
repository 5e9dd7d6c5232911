//! What is known of the external effects of a job?

use async_trait::async_trait;
use domain::{EffectState, JobId, WorkerId};
use store::{EffectCall, EffectEnd};

use crate::claim::Fenced;
use crate::fault::Fault;
use crate::lane::{Alone, Lane, Write};
use crate::row::{Columns, clean, effect_state};
use crate::tx::{Sql, Tx, sql};

const BEGIN: &str = include_str!("../queries/effect_begin.sql");
const END: &str = include_str!("../queries/effect_end.sql");

/// Writes down the intent to make an effect.
pub(crate) struct BeginEffect {
    pub(crate) call: EffectCall,
}

/// Records how an effect ended.
pub(crate) struct EndEffect {
    pub(crate) call: EffectCall,
    pub(crate) end: EffectEnd,
}

#[async_trait]
impl Write for BeginEffect {
    type Reply = Result<EffectState, Fenced>;
    const DOING: &'static str = "beginning an effect";
    const LANE: Lane = Lane::Effects;

    fn alone(&self) -> Alone {
        Alone::Repeatable
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        let statement = naming(BEGIN, &self.call).bind(tx.now.micros()).bind(tx.shift());
        let row = tx.row(statement).await?.ok_or_else(|| Fault::rule("an effect's beginning did not answer"))?;
        let mut c = Columns::of(&row);
        if !c.flag()? {
            return Ok(Err(Fenced));
        }
        let (state, run, handle) = (c.maybe_int()?, c.maybe_int()?, c.maybe_text()?);
        Ok(Ok(match state {
            Some(effect_state::CONFIRMED) => EffectState::Confirmed { handle: handle.unwrap_or_default() },
            // Asked again within one run: whatever was answered first still holds.
            Some(effect_state::INTENT) if run == Some(i64::from(self.call.run)) => EffectState::Intent,
            Some(effect_state::INTENT | effect_state::UNKNOWN) => EffectState::Unknown,
            Some(_) | None => EffectState::Intent,
        }))
    }
}

#[async_trait]
impl Write for EndEffect {
    type Reply = Result<(), Fenced>;
    const DOING: &'static str = "ending an effect";
    const LANE: Lane = Lane::Effects;

    fn alone(&self) -> Alone {
        Alone::Repeatable
    }

    /// The lease need not be live: what is known must not get lost, as long as nobody else runs the job.
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        let (code, handle) = match &self.end {
            EffectEnd::Confirmed { handle } => (effect_state::CONFIRMED, Some(clean(handle).into_owned())),
            EffectEnd::Failed => (effect_state::FAILED, None),
            EffectEnd::Unknown => (effect_state::UNKNOWN, None),
        };
        let statement = naming(END, &self.call).bind(i16::try_from(code).unwrap_or_default()).bind(handle).bind(tx.now.micros());
        let row = tx.row(statement).await?.ok_or_else(|| Fault::rule("an effect's end did not answer"))?;
        let mut c = Columns::of(&row);
        match (c.flag()?, c.flag()?) {
            (false, _) => Ok(Err(Fenced)),
            (true, false) => Err(Fault::rule("an effect ended that was never begun")),
            (true, true) => Ok(Ok(())),
        }
    }
}

/// Job, worker, run, name and key, in this order.
fn naming(text: &'static str, call: &EffectCall) -> Sql {
    sql(text)
        .bind(*call.job.as_uuid())
        .bind(*call.worker.as_uuid())
        .bind(i32::try_from(call.run).unwrap_or(i32::MAX))
        .bind(clean(&call.name).into_owned())
        .bind(clean(&call.key).into_owned())
}

/// The statements about an effect of no job, to have them planned.
pub(crate) fn nothing() -> Vec<Sql> {
    let (job, worker) = (JobId::from_bytes([0; 16]), WorkerId::from_bytes([0; 16]));
    let call = EffectCall { worker, job, run: 0, name: String::new(), key: String::new() };
    vec![naming(BEGIN, &call).bind(0_i64).bind(0_i64), naming(END, &call).bind(0_i16).bind(None::<String>).bind(0_i64)]
}
