//! What does the store know of an operation, and how is one begun?

use async_trait::async_trait;
use domain::bounds::CANARIES_MAX;
use domain::{JobId, NewOperation, Operation, OperationId, OperationState, Target, TenantId, Timestamp};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use store::Actor;

use crate::audit::{Audit, asked_for, write_audit};
use crate::fault::Fault;
use crate::row::{Columns, job_list, to_json};
use crate::tx::{Sql, Tx, sql};
use crate::write_queue::Write;

/// An operation with what only the store needs to know.
pub(crate) struct OperationRow {
    pub(crate) operation: Operation,
    /// The jobs that went ahead.
    pub(crate) canaries: Vec<JobId>,
    /// Since when the rest waits for them, or waited.
    pub(crate) canary_since: Option<Timestamp>,
    /// Only older jobs are still to be looked at.
    pub(crate) before: Option<JobId>,
}

impl OperationRow {
    pub(crate) fn of(row: &SqliteRow) -> Result<Self, Fault> {
        let mut c = Columns::of(row);
        let operation = Operation {
            id: OperationId::from_bytes(c.bytes()?),
            tenant: c.parsed()?,
            act: c.json()?,
            target: c.json()?,
            reason: c.text()?,
            actor: c.text()?,
            request_id: c.text()?,
            state: OperationState::from_code(c.number()?).map_err(|error| Fault::rule(error.to_string()))?,
            canary: c.maybe_number()?,
            looked_at: c.number()?,
            done: c.number()?,
            skipped: c.number()?,
            error: c.maybe_text()?,
            created_at: c.time()?,
            updated_at: c.time()?,
            finished_at: c.maybe_time()?,
        };
        let canaries = c.json::<Vec<String>>()?.iter().map(|text| unhex(text)).collect::<Result<_, _>>()?;
        Ok(Self { operation, canaries, canary_since: c.maybe_time()?, before: c.maybe_bytes()?.map(JobId::from_bytes) })
    }

    /// Who did it, for the books.
    pub(crate) fn by(&self) -> Actor {
        let Operation { tenant, actor, request_id, .. } = &self.operation;
        Actor { tenant: tenant.clone(), name: actor.clone(), request_id: request_id.clone() }
    }

    /// Records what a step changed, and when the next one is due. An end goes into the audit log.
    pub(crate) async fn advance(&mut self, tx: &mut Tx<'_>, turn_at: Timestamp) -> Result<(), Fault> {
        let now = tx.now;
        let o = &mut self.operation;
        o.updated_at = now;
        o.finished_at = o.state.is_over().then_some(now);
        let statement = sql(include_str!("../queries/operation_advance.sql"))
            .bind(o.id.as_bytes().to_vec())
            .bind(i64::from(o.state.code()))
            .bind(number(o.looked_at))
            .bind(number(o.done))
            .bind(number(o.skipped))
            .bind(o.error.clone())
            .bind(now.micros())
            .bind(o.finished_at.map(Timestamp::micros))
            .bind(job_list(&self.canaries))
            .bind(self.canary_since.map(Timestamp::micros))
            .bind(self.before.map(|id| id.as_bytes().to_vec()))
            .bind(turn_at.micros());
        if tx.execute(statement).await? != 1 {
            return Err(Fault::rule("an operation changed inside its transaction"));
        }
        if self.operation.state.is_over() { self.write_end(tx).await } else { Ok(()) }
    }

    async fn write_end(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let Operation { id, tenant, state, looked_at, done, skipped, error, .. } = &self.operation;
        let mut data = json!({ "state": state, "looked_at": looked_at, "done": done, "skipped": skipped });
        if let Some(error) = error {
            data["error"] = json!(error);
        }
        let audit = Audit { tenant, action: "operation.end", target: id.to_string(), data: Some(data.to_string()) };
        write_audit(tx, &self.by(), audit).await
    }
}

fn unhex(text: &str) -> Result<JobId, Fault> {
    let id = u128::from_str_radix(text, 16).map_err(|_| Fault::rule("a canary's id cannot be read"))?;
    Ok(JobId::from_bytes(id.to_be_bytes()))
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn operation(row: &SqliteRow) -> Result<Operation, Fault> {
    Ok(OperationRow::of(row)?.operation)
}

pub(crate) fn find(tenant: &TenantId, id: OperationId) -> Sql {
    sql(include_str!("../queries/operation_find.sql")).bind(tenant.to_string()).bind(id.as_bytes().to_vec())
}

/// Records an operation, once.
pub(crate) struct Begin {
    pub(crate) by: Actor,
    pub(crate) new: NewOperation,
}

#[async_trait]
impl Write for Begin {
    type Reply = Operation;
    const DOING: &'static str = "beginning an operation";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Operation, Fault> {
        let (tenant, id) = (&self.by.tenant, self.new.id);
        let (target, canary) = (once_each(&self.new.target), self.new.canary.filter(|n| *n > 0).map(|n| n.min(CANARIES_MAX)));
        let statement = sql(include_str!("../queries/operation_insert.sql"))
            .bind(id.as_bytes().to_vec())
            .bind(tenant.to_string())
            .bind(to_json(&self.new.act)?)
            .bind(to_json(&target)?)
            .bind(self.new.reason.clone())
            .bind(self.by.name.clone())
            .bind(self.by.request_id.clone())
            .bind(canary.map(i64::from))
            .bind(tx.now.micros());
        if tx.execute(statement).await? == 1 {
            let data = Some(self.data(&target, canary).to_string());
            write_audit(tx, &self.by, Audit { tenant, action: "operation.begin", target: id.to_string(), data }).await?;
        }
        let row = tx.row(find(tenant, id)).await?;
        operation(&row.ok_or_else(|| Fault::rule("the id of an operation is another tenant's"))?)
    }
}

impl Begin {
    fn data(&self, target: &Target, canary: Option<u32>) -> Value {
        let mut data = asked_for(&self.new.act);
        data.insert("action".to_owned(), json!(self.new.act.name()));
        data.insert("target".to_owned(), json!(target));
        data.insert("reason".to_owned(), json!(self.new.reason));
        data.extend(canary.map(|n| ("canary".to_owned(), json!(n))));
        Value::Object(data)
    }
}

/// Ids in the order in which they are looked at, newest first and each once.
fn once_each(target: &Target) -> Target {
    match target {
        Target::Ids(ids) => {
            let mut ids = ids.clone();
            ids.sort_unstable_by(|a, b| b.cmp(a));
            ids.dedup();
            Target::Ids(ids)
        }
        Target::Jobs(_) | Target::Dead(_) => target.clone(),
    }
}
