//! What does a transition need to know of a job?

use std::collections::HashSet;

use domain::{JobId, JobState, KindName, Priority, QueueName, Run, Standing, TenantId, Timestamp, WaitingFor, WorkerId};
use sqlx::postgres::PgRow;

use crate::fault::Fault;
use crate::row::{Columns, job_ids};
use crate::shelf::{readable, readable_or_shelve};
use crate::tx::{Tx, sql_of};

/// A job as transitions need to know it.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) id: JobId,
    pub(crate) tenant: TenantId,
    pub(crate) kind: KindName,
    pub(crate) queue: QueueName,
    pub(crate) priority: Priority,
    pub(crate) state: JobState,
    pub(crate) run: Run,
    pub(crate) attempt: u16,
    pub(crate) max_attempts: u16,
    pub(crate) crashes: u16,
    pub(crate) cancel_requested: bool,
    pub(crate) run_at: Timestamp,
    pub(crate) start_before: Option<Timestamp>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) worker: Option<WorkerId>,
    pub(crate) run_by: Option<WorkerId>,
    /// The run at its latest replay.
    pub(crate) run_base: Run,
    /// A handler may have seen it.
    pub(crate) ever_started: bool,
    pub(crate) unique_key: Option<String>,
    pub(crate) has_callback: bool,
    pub(crate) waiting_for: Option<WaitingFor>,
}

impl Head {
    fn of(row: &PgRow) -> Result<Self, Fault> {
        let mut c = Columns::of(row);
        Ok(Self {
            id: c.job_id()?,
            tenant: c.parsed()?,
            kind: c.parsed()?,
            queue: c.parsed()?,
            priority: c.priority()?,
            state: c.state()?,
            run: c.number()?,
            attempt: c.number()?,
            max_attempts: c.number()?,
            crashes: c.number()?,
            cancel_requested: c.flag()?,
            run_at: c.time()?,
            start_before: c.maybe_time()?,
            started_at: c.maybe_time()?,
            worker: c.maybe_bytes()?.map(WorkerId::from_bytes),
            run_by: c.maybe_bytes()?.map(WorkerId::from_bytes),
            run_base: c.number()?,
            ever_started: c.flag()?,
            unique_key: c.maybe_text()?,
            has_callback: c.flag()?,
            waiting_for: c.maybe_waiting_for()?,
        })
    }

    /// Locks and reads these jobs; those that do not exist are left out. In the order of their ids, so that no two who lock
    /// several wait for each other.
    pub(crate) async fn read(tx: &mut Tx<'_>, ids: &[JobId]) -> Result<Vec<Self>, Fault> {
        rows_of(tx, ids).await?.iter().map(Self::of).collect()
    }

    /// Like [`Head::read`], but one that cannot be read is put on the shelf, so that the others get on.
    pub(crate) async fn read_or_shelve(tx: &mut Tx<'_>, ids: &[JobId]) -> Result<Vec<Self>, Fault> {
        let rows = rows_of(tx, ids).await?;
        readable_or_shelve(tx, &rows, Self::of).await
    }

    /// Like [`Head::read`], but one that cannot be read is left out, and left as it is.
    pub(crate) async fn read_readable(tx: &mut Tx<'_>, ids: &[JobId]) -> Result<Vec<Self>, Fault> {
        Ok(readable(&rows_of(tx, ids).await?, Self::of))
    }

    /// Like [`Head::read_or_shelve`], but jobs that somebody else is busy with are left out: for duties and renewals, which come
    /// back, and which nobody who holds a row for long may hold up.
    /// Returns also which were seen, readable or not.
    pub(crate) async fn read_free_or_shelve(tx: &mut Tx<'_>, ids: &[JobId]) -> Result<(Vec<Self>, HashSet<JobId>), Fault> {
        if ids.is_empty() {
            return Ok((Vec::new(), HashSet::new()));
        }
        let rows = tx.rows(sql_of(include_str!("../queries/job_head_free.sql"), ids)).await?;
        let seen = job_ids(&rows)?.into_iter().collect();
        Ok((readable_or_shelve(tx, &rows, Self::of).await?, seen))
    }

    /// The job as far as acts care.
    pub(crate) fn standing(&self) -> Standing {
        Standing {
            state: self.state,
            waiting_for: self.waiting_for,
            priority: self.priority,
            run_at: self.run_at,
            cancel_requested: self.cancel_requested,
        }
    }

    /// Nobody has claimed it since it was new or replayed.
    pub(crate) fn is_unclaimed(&self) -> bool {
        self.run == self.run_base
    }

    /// Its start-before passed, and no handler has seen it.
    pub(crate) fn is_late(&self, now: Timestamp) -> bool {
        !self.ever_started && self.start_before.is_some_and(|limit| limit <= now)
    }

    /// How often an attempt was given back since it was new or replayed.
    pub(crate) fn free_deferrals(&self) -> u32 {
        self.run.saturating_sub(self.run_base).saturating_sub(u32::from(self.attempt))
    }
}

async fn rows_of(tx: &mut Tx<'_>, ids: &[JobId]) -> Result<Vec<PgRow>, Fault> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    tx.rows(sql_of(include_str!("../queries/job_head.sql"), ids)).await
}
