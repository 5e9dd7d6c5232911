//! How does an operation get on? One step is one transaction: it finds jobs, acts on them, and notes where to go on.

use std::time::Duration;

use async_trait::async_trait;
use domain::{Consequence, Event, JobId, OperationState, Target, Timestamp};
use serde_json::{Value, json};
use store::Step;

use crate::audit::asked_for;
use crate::fault::Fault;
use crate::head::Head;
use crate::listing::Found;
use crate::operation::OperationRow;
use crate::perform::{Note, Performed, perform};
use crate::row::Columns;
use crate::tx::{Tx, sql};
use crate::write_queue::Write;
use crate::{canary, dead_letters, listing};

/// How long an operation whose step breaks a rule is left alone: it must not hold up the others.
const BROKEN_PUT_OFF_FOR: Duration = Duration::from_secs(60);
/// How long an operation that cannot be read is left alone; a newer version may have been started by then.
const PUT_OFF_FOR: Duration = Duration::from_secs(3_600);
/// Operations that one step passes over because they cannot be read.
const UNREADABLE_MAX: usize = 16;

/// Does the next step of whatever operation has waited longest.
pub(crate) struct StepOn {
    pub(crate) limit: usize,
}

#[async_trait]
impl Write for StepOn {
    type Reply = Option<Step>;
    const DOING: &'static str = "carrying on an operation";

    fn rows(&self) -> usize {
        self.limit
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Step>, Fault> {
        let Some(mut row) = next(tx).await? else { return Ok(None) };
        if row.operation.state == OperationState::Canary {
            let waits = canary::look(tx, &mut row).await?;
            return Ok(Some(step(row, Performed::default(), waits)));
        }
        let performed = act(tx, &mut row, self.limit).await?;
        Ok(Some(step(row, performed, false)))
    }
}

/// Passes over the operation whose step failed, in a transaction of its own: nothing of the step happened.
pub(crate) struct PassOver;

#[async_trait]
impl Write for PassOver {
    type Reply = ();
    const DOING: &'static str = "putting off an operation";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        if let Some(row) = next(tx).await? {
            put_off(tx, row.operation.id.as_bytes(), tx.now + BROKEN_PUT_OFF_FOR).await?;
        }
        Ok(())
    }
}

fn step(row: OperationRow, performed: Performed, waits: bool) -> Step {
    let Performed { emissions, next_timer, asked } = performed;
    Step { operation: row.operation, emissions, next_timer, asked, waits }
}

/// The operation whose turn it is. What cannot be read is put off: it must not stop the others.
async fn next(tx: &mut Tx<'_>) -> Result<Option<OperationRow>, Fault> {
    for _ in 0..UNREADABLE_MAX {
        let Some(row) = tx.row(sql(include_str!("../queries/operation_next.sql")).bind(tx.now.micros())).await? else { return Ok(None) };
        match OperationRow::of(&row) {
            Ok(operation) => return Ok(Some(operation)),
            Err(fault) => {
                let id: [u8; 16] = Columns::of(&row).bytes()?;
                tracing::error!(error = %fault, "what is stored of an operation cannot be read; it is put off for an hour");
                put_off(tx, &id, tx.now + PUT_OFF_FOR).await?;
            }
        }
    }
    Ok(None)
}

pub(crate) async fn put_off(tx: &mut Tx<'_>, id: &[u8; 16], until: Timestamp) -> Result<(), Fault> {
    tx.execute(sql(include_str!("../queries/operation_put_off.sql")).bind(id.to_vec()).bind(until.micros())).await?;
    Ok(())
}

/// Acts on the next jobs of its target, and says where it stands now.
async fn act(tx: &mut Tx<'_>, row: &mut OperationRow, limit: usize) -> Result<Performed, Fault> {
    let ahead = row.canaries_to_go();
    let Found { ids, next, .. } = find(tx, row, ahead.unwrap_or(limit).clamp(1, limit.max(1))).await?;
    let heads = Head::read_readable(tx, &ids).await?;
    let mut jobs: Vec<(Head, Event)> = Vec::with_capacity(heads.len());
    for head in heads.into_iter().filter(|head| head.tenant == row.operation.tenant) {
        if let Consequence::Happens(event) = row.operation.act.consequence(&head.standing(), tx.now) {
            jobs.push((head, event));
        }
    }
    let done: Vec<JobId> = jobs.iter().map(|(head, _)| head.id).collect();
    let act = row.operation.act;
    let mut data = asked_for(&act);
    data.insert("operation".to_owned(), json!(row.operation.id));
    data.insert("reason".to_owned(), json!(row.operation.reason));
    let note = Note { actor: format!("key:{}", row.operation.actor), data: Some(Value::Object(data).to_string()) };
    let performed = perform(tx, &act, jobs, None, &note).await?;
    row.count(ids.len(), &done);
    row.before = next;
    let turn_at = row.decide(tx.now, ahead.is_some());
    row.advance(tx, turn_at).await?;
    Ok(performed)
}

async fn find(tx: &mut Tx<'_>, row: &OperationRow, limit: usize) -> Result<Found, Fault> {
    let (operation, after) = (&row.operation, row.before);
    // What came after its begin is left alone.
    let begun = operation.created_at + Duration::from_micros(1);
    let until = |named: Option<Timestamp>| Some(named.map_or(begun, |at| at.min(begun)));
    match &operation.target {
        Target::Jobs(filter) => {
            let filter = domain::JobFilter { created_before: until(filter.created_before), ..filter.clone() };
            listing::find(tx, &listing::Scan::of(&operation.tenant, &filter, after), limit).await
        }
        Target::Dead(filter) => {
            let filter = domain::DeadFilter { dead_before: until(filter.dead_before), ..filter.clone() };
            dead_letters::find(tx, &dead_letters::Scan::of(&operation.tenant, &filter, after), limit).await
        }
        Target::Ids(ids) => Ok(Found::among(ids, after, limit)),
    }
}

impl OperationRow {
    /// How many jobs may go ahead before the rest waits for them; `None`: the rest is on its way.
    fn canaries_to_go(&self) -> Option<usize> {
        let canary = self.operation.canary.filter(|_| self.canary_since.is_none())?;
        Some(usize::try_from(canary).unwrap_or(usize::MAX).saturating_sub(self.canaries.len()))
    }

    fn count(&mut self, looked_at: usize, done: &[JobId]) {
        let (looked_at, happened) = (looked_at as u64, done.len() as u64);
        self.operation.looked_at += looked_at;
        self.operation.done += happened;
        self.operation.skipped += looked_at - happened;
        if self.canaries_to_go().is_some() {
            self.canaries.extend(done);
        }
    }

    /// Where it stands after a step, and when its next one is due. With nothing left to look at, nothing waits for canaries.
    fn decide(&mut self, now: Timestamp, ahead: bool) -> Timestamp {
        if self.before.is_none() {
            self.operation.state = OperationState::Succeeded;
        } else if ahead && self.canaries_to_go() == Some(0) {
            self.operation.state = OperationState::Canary;
            self.canary_since = Some(now);
            return now + domain::bounds::CANARIES_LOOK_EVERY;
        }
        now
    }
}
