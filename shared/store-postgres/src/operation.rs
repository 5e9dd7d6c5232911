//! How does an act on many jobs go on? Step by step, whoever has the time; each step is one transaction.

use std::cmp::Reverse;
use std::time::Duration;

use async_trait::async_trait;
use domain::bounds::{CANARIES_LOOK_EVERY, CANARIES_MAX, CANARIES_WAIT_MAX};
use domain::{Act, Failure, JobId, JobState, NewOperation, Operation, OperationState, Target, Timestamp, format_duration};
use sqlx::Executor as _;
use sqlx::postgres::PgRow;
use store::{Actor, Step};

use crate::act::{Audit, write_audit};
use crate::fault::Fault;
use crate::head::Head;
use crate::lane::{Lane, Write};
use crate::operation_row::{Open, operation};
use crate::partition::try_share_space;
use crate::row::{Columns, clean, to_json};
use crate::steer::{Acted, Note, act};
use crate::tx::{Tx, sql, sql_of};
use crate::walk::{Ahead, is_meant};

pub(crate) const OPERATION_FIND: &str = include_str!("../queries/operation_find.sql");

/// Records an operation, unless it was recorded before.
pub(crate) struct Begin {
    by: Actor,
    new: NewOperation,
}

impl Begin {
    pub(crate) fn new(by: &Actor, new: &NewOperation) -> Self {
        let (canary, target) = (new.canary.filter(|n| *n > 0).map(|n| n.min(CANARIES_MAX)), once_each(&new.target));
        Self { by: by.clone(), new: NewOperation { canary, target, ..new.clone() } }
    }
}

/// Ids in the order in which they are looked at, newest first and each once.
fn once_each(target: &Target) -> Target {
    match target {
        Target::Ids(ids) => {
            let mut ids = ids.clone();
            ids.sort_unstable_by_key(|id| Reverse(*id));
            ids.dedup();
            Target::Ids(ids)
        }
        Target::Jobs(_) | Target::Dead(_) => target.clone(),
    }
}

#[async_trait]
impl Write for Begin {
    type Reply = Operation;
    const DOING: &'static str = "beginning an operation";
    const LANE: Lane = Lane::Acts;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Operation, Fault> {
        let (by, new) = (&self.by, &self.new);
        let statement = sql(include_str!("../queries/operation_insert.sql"))
            .bind(*new.id.as_uuid())
            .bind(by.tenant.to_string())
            .bind(to_json(&new.act)?)
            .bind(to_json(&new.target)?)
            .bind(clean(&new.reason).into_owned())
            .bind(clean(&by.name).into_owned())
            .bind(clean(&by.request_id).into_owned())
            .bind(new.canary.map(i64::from))
            .bind(tx.now.micros())
            .bind(tx.shift());
        if tx.execute(statement).await? > 0 {
            let data = Some(begun(new)?);
            write_audit(tx, by, Audit { tenant: &by.tenant, action: "operation.begin", target: new.id.to_string(), data }).await?;
        }
        let found = tx.row(sql(OPERATION_FIND).bind(by.tenant.to_string()).bind(*new.id.as_uuid())).await?;
        found.as_ref().map(operation).transpose()?.ok_or_else(|| Fault::rule("the id of an operation is another tenant's"))
    }
}

/// What the audit log says of the beginning.
fn begun(new: &NewOperation) -> Result<String, Fault> {
    #[derive(serde::Serialize)]
    struct Begun<'a> {
        #[serde(flatten)]
        act: Act,
        target: &'a Target,
        reason: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        canary: Option<u32>,
    }
    to_json(&Begun { act: new.act, target: &new.target, reason: &new.reason, canary: new.canary })
}

/// How long a step waits for a job that somebody is busy with: people's acts wait behind it.
const PATIENCE: &str = "set local lock_timeout = '1s'";
/// How long an operation waits whose step did not get through.
const STUMBLED_FOR: Duration = Duration::from_secs(60);

/// Lets the operation whose step has just failed wait, so that it does not hold up the others.
pub(crate) struct PutOff;

impl PutOff {
    /// Whether a step failed by what it met, and not because the database was away.
    pub(crate) fn is_for(fault: &Fault) -> bool {
        matches!(fault, Fault::Sql(_) | Fault::Rule(_) | Fault::Panicked) && !fault.is_a_broken_connection()
    }
}

#[async_trait]
impl Write for PutOff {
    type Reply = ();
    const DOING: &'static str = "putting an operation off";
    const LANE: Lane = Lane::Acts;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let wait = i64::try_from(STUMBLED_FOR.as_micros()).unwrap_or(i64::MAX);
        tx.execute(sql(include_str!("../queries/operation_put_off_next.sql")).bind(wait).bind(tx.shift())).await?;
        Ok(())
    }
}

/// Goes on with the operation that has waited longest for its turn.
pub(crate) struct GoOn {
    pub(crate) limit: usize,
}

#[async_trait]
impl Write for GoOn {
    type Reply = Option<Step>;
    const DOING: &'static str = "going on with an operation";
    const LANE: Lane = Lane::Acts;

    fn rows(&self) -> usize {
        self.limit
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Step>, Fault> {
        tx.connection()?.execute(PATIENCE).await?;
        let Some(mut open) = Open::take(tx).await? else { return Ok(None) };
        let mut acted = Acted::default();
        let waits =
            if open.canaries_have_ended(tx).await? { open.step(tx, self.limit.max(1), &mut acted).await? } else { Waits::ForCanaries };
        open.keep(tx, waits).await?;
        let Acted { emissions, next_timer, asked, .. } = acted;
        Ok(Some(Step { operation: open.operation, emissions, next_timer, asked, waits: waits != Waits::No }))
    }
}

/// Why a step did nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Waits {
    No,
    ForCanaries,
    /// A partition is being compacted: an ended job that becomes live again might be overlooked.
    ForSpace,
}

impl Open {
    /// Whether the canaries, if it waits for any, allow it to go on. It is halted when they never will.
    async fn canaries_have_ended(&mut self, tx: &mut Tx<'_>) -> Result<bool, Fault> {
        if self.operation.state != OperationState::Canary {
            return Ok(true);
        }
        let rows = tx.rows(sql_of(include_str!("../queries/operation_canaries.sql"), &self.canaries)).await?;
        let canaries = rows.iter().map(canary).collect::<Result<Vec<_>, _>>()?;
        if let Some(why) = why_halted(&self.canaries, &canaries) {
            self.halt(why, tx.now);
            return Ok(true);
        }
        if let Some(slow) = canaries.iter().find(|canary| !canary.state.is_terminal()) {
            if tx.now.since(self.canaries_at.unwrap_or(tx.now)) < CANARIES_WAIT_MAX {
                return Ok(false);
            }
            let within = format_duration(CANARIES_WAIT_MAX);
            self.halt(format!("the canaries did not end within {within}: {} is {}", slow.id, slow.state), tx.now);
            return Ok(true);
        }
        self.operation.state = OperationState::Running;
        Ok(true)
    }

    fn halt(&mut self, why: String, now: Timestamp) {
        self.operation.error = Some(why);
        self.end(OperationState::Halted, now);
    }

    fn end(&mut self, state: OperationState, now: Timestamp) {
        self.operation.state = state;
        self.operation.finished_at = Some(now);
    }

    /// How many more shall go ahead; `None`: all may go.
    fn canaries_missing(&self) -> Option<usize> {
        let wanted = self.operation.canary.filter(|_| self.canaries_at.is_none())?;
        Some(usize::try_from(wanted).unwrap_or(usize::MAX).saturating_sub(self.canaries.len()))
    }

    /// Looks at the next jobs, and does it to them.
    async fn step(&mut self, tx: &mut Tx<'_>, limit: usize, acted: &mut Acted) -> Result<Waits, Fault> {
        if self.operation.state.is_over() {
            return Ok(Waits::No);
        }
        if self.operation.act == Act::Retry && !try_share_space(tx).await? {
            return Ok(Waits::ForSpace);
        }
        let limit = self.canaries_missing().map_or(limit, |missing| missing.min(limit));
        let ahead = Ahead::of(tx, &self.operation, self.place, limit).await?;
        if !ahead.jobs.is_empty() {
            *acted = self.act_on(tx, &ahead.jobs).await?;
        }
        self.place = ahead.place().or(self.place);
        if ahead.is_the_rest() {
            self.end(OperationState::Succeeded, tx.now);
        } else if ahead.has_more && self.canaries_missing() == Some(0) {
            self.operation.state = OperationState::Canary;
            self.canaries_at = Some(tx.now);
        }
        Ok(Waits::No)
    }

    async fn act_on(&mut self, tx: &mut Tx<'_>, ids: &[JobId]) -> Result<Acted, Fault> {
        let Operation { id, act: what, actor, reason, .. } = &self.operation;
        let note = Note::of_operation(what, actor, *id, reason);
        let mut heads = Head::read_readable(tx, ids).await?;
        heads.retain(|head| is_meant(&self.operation, head));
        let acted = act(tx, heads, what, &note, None).await?;
        let (all, done) = (ids.len() as u64, acted.done.len() as u64);
        if self.canaries_missing().is_some() {
            self.canaries.extend(&acted.done);
        }
        self.operation.looked_at += all;
        self.operation.done += done;
        self.operation.skipped += all - done;
        Ok(acted)
    }

    /// Writes down how far it has come, and at its end that it is over.
    async fn keep(&mut self, tx: &mut Tx<'_>, waits: Waits) -> Result<(), Fault> {
        let is_waiting = waits != Waits::No || self.operation.state == OperationState::Canary;
        let wait = if is_waiting { CANARIES_LOOK_EVERY } else { Duration::ZERO };
        if waits == Waits::No {
            self.operation.updated_at = tx.now;
        }
        self.note(tx, wait).await?;
        if !self.operation.state.is_over() {
            return Ok(());
        }
        let Operation { id, tenant, actor, request_id, state, looked_at, done, skipped, error, .. } = &self.operation;
        let by = Actor { tenant: tenant.clone(), name: actor.clone(), request_id: request_id.clone() };
        let mut data = serde_json::json!({ "state": state, "looked_at": looked_at, "done": done, "skipped": skipped });
        if let Some(error) = error {
            data["error"] = error.as_str().into();
        }
        let audit = Audit { tenant, action: "operation.end", target: id.to_string(), data: Some(data.to_string()) };
        write_audit(tx, &by, audit).await
    }
}

/// How one of those that went ahead is.
struct Canary {
    id: JobId,
    state: JobState,
    error: Option<String>,
}

fn canary(row: &PgRow) -> Result<Canary, Fault> {
    let mut c = Columns::of(row);
    Ok(Canary { id: c.job_id()?, state: c.state()?, error: c.maybe_text()? })
}

/// The first canary that can succeed no more, and why; `None`: there is none.
fn why_halted(all: &[JobId], found: &[Canary]) -> Option<String> {
    if let Some(gone) = all.iter().find(|id| found.iter().all(|canary| canary.id != **id)) {
        return Some(format!("canary {gone} is gone"));
    }
    let failed = found.iter().find(|canary| canary.state.is_terminal() && canary.state != JobState::Succeeded)?;
    let error = failed.error.as_deref().filter(|_| failed.state == JobState::Dead);
    let why = error.and_then(|text| serde_json::from_str::<Failure>(text).ok());
    let why = why.map(|failure| format!(": {} ({})", failure.code, failure.message)).unwrap_or_default();
    Some(format!("canary {} is {}{why}", failed.id, failed.state))
}
