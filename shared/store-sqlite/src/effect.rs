//! What is known of the external effects of a job?

use async_trait::async_trait;
use domain::EffectState;
use sqlx::Row as _;
use store::{EffectCall, EffectEnd};

use crate::claim::{Fenced, lease_is_live};
use crate::fault::Fault;
use crate::lanes::Lane;
use crate::row::{Columns, effect_state};
use crate::tx::{Tx, sql};
use crate::write_queue::Write;

/// Writes down the intent to make an effect.
pub(crate) struct BeginEffect {
    pub(crate) call: EffectCall,
}

/// Records how an effect ended.
pub(crate) struct EndEffect {
    pub(crate) call: EffectCall,
    pub(crate) end: EffectEnd,
}

struct Known {
    state: i64,
    run: i64,
    handle: Option<String>,
}

#[async_trait]
impl Write for BeginEffect {
    type Reply = Result<EffectState, Fenced>;
    const DOING: &'static str = "beginning an effect";
    const LANE: Lane = Lane::Urgent;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        let call = &self.call;
        if !runs(tx, call).await? || !lease_is_live(tx, call.worker).await? {
            return Ok(Err(Fenced));
        }
        let known = known(tx, call).await?;
        let (code, answer) = match known {
            Some(Known { state: effect_state::CONFIRMED, handle: Some(handle), .. }) => return Ok(Ok(EffectState::Confirmed { handle })),
            // Asked again within one run: whatever was answered first still holds.
            Some(Known { state: effect_state::INTENT, run, .. }) if run == i64::from(call.run) => return Ok(Ok(EffectState::Intent)),
            Some(Known { state: effect_state::INTENT | effect_state::UNKNOWN, .. }) => (effect_state::UNKNOWN, EffectState::Unknown),
            Some(_) | None => (effect_state::INTENT, EffectState::Intent),
        };
        write(tx, call, code, None).await?;
        Ok(Ok(answer))
    }
}

#[async_trait]
impl Write for EndEffect {
    type Reply = Result<(), Fenced>;
    const DOING: &'static str = "ending an effect";
    const LANE: Lane = Lane::Urgent;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        // The lease need not be live: what is known must not get lost, as long as nobody else runs the job.
        if !runs(tx, &self.call).await? {
            return Ok(Err(Fenced));
        }
        match known(tx, &self.call).await? {
            None => Err(Fault::rule("an effect ended that was never begun")),
            Some(Known { state: effect_state::CONFIRMED, .. }) => Ok(Ok(())),
            Some(_) => {
                let (code, handle) = match &self.end {
                    EffectEnd::Confirmed { handle } => (effect_state::CONFIRMED, Some(handle.clone())),
                    EffectEnd::Failed => (effect_state::FAILED, None),
                    EffectEnd::Unknown => (effect_state::UNKNOWN, None),
                };
                write(tx, &self.call, code, handle).await?;
                Ok(Ok(()))
            }
        }
    }
}

/// Whether the job is this worker's at this run.
async fn runs(tx: &mut Tx<'_>, call: &EffectCall) -> Result<bool, Fault> {
    let statement = sql(include_str!("../queries/job_runs.sql"))
        .bind(call.job.as_bytes().to_vec())
        .bind(call.worker.as_bytes().to_vec())
        .bind(i64::from(call.run));
    Ok(tx.row(statement).await?.is_some())
}

/// What is known under this key; another key's row is of no concern, the next write replaces it.
async fn known(tx: &mut Tx<'_>, call: &EffectCall) -> Result<Option<Known>, Fault> {
    let statement = sql(include_str!("../queries/effect_find.sql"));
    let row = tx.row(statement.bind(call.job.as_bytes().to_vec()).bind(call.name.clone()).bind(call.key.clone())).await?;
    let Some(row) = row else { return Ok(None) };
    let mut c = Columns::of(&row);
    Ok(Some(Known { state: c.int()?, run: c.int()?, handle: row.try_get(2)? }))
}

async fn write(tx: &mut Tx<'_>, call: &EffectCall, state: i64, handle: Option<String>) -> Result<(), Fault> {
    let statement = sql(include_str!("../queries/effect_replace.sql"))
        .bind(call.job.as_bytes().to_vec())
        .bind(call.name.clone())
        .bind(call.key.clone())
        .bind(state)
        .bind(i64::from(call.run))
        .bind(handle)
        .bind(tx.now.micros());
    tx.execute(statement).await?;
    Ok(())
}
