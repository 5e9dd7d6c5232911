//! How does an operation become a row, and back?

use std::time::Duration;

use domain::{JobId, Operation, OperationId, OperationState, Timestamp};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::fault::Fault;
use crate::row::{Columns, clean};
use crate::tx::{Tx, sql};

/// How long an operation that cannot be read is left alone; a newer version may have been started by then.
const PUT_OFF_FOR: Duration = Duration::from_secs(3_600);

/// From the columns of the `operation_*` queries that return it.
pub(crate) fn operation(row: &PgRow) -> Result<Operation, Fault> {
    read(&mut Columns::of(row))
}

fn read(c: &mut Columns<'_>) -> Result<Operation, Fault> {
    Ok(Operation {
        id: OperationId::from_bytes(c.bytes()?),
        tenant: c.parsed()?,
        act: c.json()?,
        target: c.json()?,
        reason: c.text()?,
        actor: c.text()?,
        request_id: c.text()?,
        state: OperationState::from_code(c.number()?).map_err(|error| Fault::rule(error.to_string()))?,
        canary: c.maybe_int()?.map(|canary| u32::try_from(canary).unwrap_or(u32::MAX)),
        looked_at: c.number()?,
        done: c.number()?,
        skipped: c.number()?,
        error: c.maybe_text()?,
        created_at: c.time()?,
        updated_at: c.time()?,
        finished_at: c.maybe_time()?,
    })
}

/// An operation whose turn it is, with what it needs to go on.
pub(crate) struct Open {
    pub(crate) operation: Operation,
    /// The last job that was looked at.
    pub(crate) place: Option<JobId>,
    /// The jobs whose ends the others wait for, and since when they do.
    pub(crate) canaries: Vec<JobId>,
    pub(crate) canaries_at: Option<Timestamp>,
}

impl Open {
    /// Locks and reads the operation that has waited longest for its turn. One that cannot be read, such as a newer version's,
    /// is put off: it must not stop the others.
    pub(crate) async fn take(tx: &mut Tx<'_>) -> Result<Option<Self>, Fault> {
        let take = || sql(include_str!("../queries/operation_take.sql"));
        while let Some(row) = tx.row(take().bind(tx.shift())).await? {
            match Self::of(&row) {
                Ok(open) => return Ok(Some(open)),
                Err(fault) => tracing::error!(error = %fault, "what is stored of an operation cannot be read; it is put off for an hour"),
            }
            let id = Uuid::from_bytes(Columns::of(&row).bytes()?);
            let put_off = sql(include_str!("../queries/operation_put_off.sql")).bind(id).bind(micros(PUT_OFF_FOR)).bind(tx.shift());
            tx.execute(put_off).await?;
        }
        Ok(None)
    }

    fn of(row: &PgRow) -> Result<Self, Fault> {
        let mut c = Columns::of(row);
        let operation = read(&mut c)?;
        let place = c.maybe_bytes()?.map(JobId::from_bytes);
        Ok(Self { operation, place, canaries: c.job_list()?, canaries_at: c.maybe_time()? })
    }

    /// Writes down how far it has come, and how long it waits for its next turn.
    pub(crate) async fn note(&self, tx: &mut Tx<'_>, wait: Duration) -> Result<(), Fault> {
        let Operation { id, state, looked_at, done, skipped, error, updated_at, finished_at, .. } = &self.operation;
        let count = |count: &u64| i64::try_from(*count).unwrap_or(i64::MAX);
        let statement = sql(include_str!("../queries/operation_note.sql"))
            .bind(*id.as_uuid())
            .bind(i64::from(state.code()))
            .bind(count(looked_at))
            .bind(count(done))
            .bind(count(skipped))
            .bind(error.as_deref().map(|text| clean(text).into_owned()))
            .bind(updated_at.micros())
            .bind(finished_at.map(Timestamp::micros))
            .bind(micros(wait))
            .bind(self.place.map(|id| *id.as_uuid()))
            .bind(self.canaries.iter().map(|id| *id.as_uuid()).collect::<Vec<Uuid>>())
            .bind(self.canaries_at.map(Timestamp::micros))
            .bind(tx.shift());
        if tx.execute(statement).await? == 1 { Ok(()) } else { Err(Fault::rule("an operation vanished inside its transaction")) }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
