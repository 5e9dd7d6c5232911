//! What becomes of a live job whose row cannot be read?
//!
//! Such as one with a name that this version refuses. It must not stop a duty, a claim or a class for everybody else,
//! it must not be lost, and it must not come up again at once. So it is put on the shelf: it waits for a time, whatever
//! its state was, and is tried again then. Everything here works on rows without reading them.

use std::time::Duration;

use domain::{JobId, WaitingFor};
use sqlx::postgres::PgRow;

use crate::fault::Fault;
use crate::moves::{insert_timers, leave_parking};
use crate::row::{Columns, TimerKind};
use crate::tx::{Tx, sql_of};

/// How long an unreadable job lies there before it is tried again; a newer version may have been started by then.
const SHELVED_FOR: Duration = Duration::from_secs(3_600);
const DETAILS: &str = r#"{"code":"unreadable","message":"this version cannot read what is stored of the job"}"#;

/// Those of the rows that can be read; the jobs of the others, whose ids are in the first column, are put on the shelf.
pub(crate) async fn readable_or_shelve<T>(tx: &mut Tx<'_>, rows: &[PgRow], read: fn(&PgRow) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
    let (mut values, mut unreadable) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        match read(row) {
            Ok(value) => values.push(value),
            Err(fault) => {
                let id = Columns::of(row).job_id()?;
                tracing::error!(job.id = %id, error = %fault, "what is stored of a job cannot be read; it is put off for an hour");
                unreadable.push(id);
            }
        }
    }
    shelve(tx, &unreadable).await?;
    Ok(values)
}

/// Those of the rows that can be read, for lists: one bad row must not hide all others.
pub(crate) fn readable<T>(rows: &[PgRow], read: fn(&PgRow) -> Result<T, Fault>) -> Vec<T> {
    let read = |row| read(row).inspect_err(|fault| tracing::warn!(error = %fault, "a row of a list cannot be read and is left out"));
    rows.iter().filter_map(|row| read(row).ok()).collect()
}

async fn shelve(tx: &mut Tx<'_>, ids: &[JobId]) -> Result<(), Fault> {
    if ids.is_empty() {
        return Ok(());
    }
    let (until, reason) = (tx.now + SHELVED_FOR, i64::from(WaitingFor::Time.code()));
    // First, in case each statement is a transaction of its own (a claim that came alone): without their jobs' consent timers are noise,
    // but a job that waits without one would never be found.
    let timers: Vec<_> = ids.iter().map(|id| (until, *id, TimerKind::Due)).collect();
    insert_timers(tx, &timers).await?;
    tx.execute(sql_of(include_str!("../queries/timer_shelve.sql"), ids)).await?;
    leave_parking(tx, ids).await?;
    let note = sql_of(include_str!("../queries/job_event_shelve.sql"), ids).bind(tx.now.micros()).bind(reason);
    tx.execute(note.bind("duty:shelve").bind(DETAILS)).await?;
    tx.execute(sql_of(include_str!("../queries/job_shelve.sql"), ids).bind(until.micros()).bind(reason)).await?;
    Ok(())
}
