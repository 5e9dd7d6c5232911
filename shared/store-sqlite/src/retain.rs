//! What is kept no longer?

use async_trait::async_trait;
use domain::bounds::{AUDIT_KEPT, OPERATIONS_KEPT, STATS_KEPT, WORKER_KEPT};
use domain::{JobId, JobState, Timestamp};
use parking_lot::Mutex;
use store::{Retained, Retention};

use crate::fault::Fault;
use crate::perform::DEAD_LETTER_FORGET;
use crate::row::{Columns, job_list};
use crate::tx::{Tx, sql};
use crate::write_queue::Write;

/// How many ended jobs a pass looks at for each that it may delete: many may be kept for the keys that name them.
const LOOKS_PER_JOB: usize = 4;

/// Where the next pass goes on looking, by state: passes are bounded, and what is kept for its keys must not hide the rest.
#[derive(Default)]
pub(crate) struct RetainedFrom(Mutex<[Option<Timestamp>; JobState::TERMINAL.len()]>);

/// Deletes ended jobs past their retention, expired keys, workers long dead, old audit rows, figures and operations.
pub(crate) struct Retain {
    pub(crate) kept: Retention,
    pub(crate) limit: usize,
}

#[async_trait]
impl Write for Retain {
    type Reply = Retained;
    const DOING: &'static str = "deleting what is kept no longer";

    fn rows(&self) -> usize {
        self.limit
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Retained, Fault> {
        let ids = self.past(tx).await?;
        if !ids.is_empty() {
            forget(tx, &ids).await?;
        }
        let keys = sql(include_str!("../queries/job_dedup_expire.sql")).bind(tx.now.micros()).bind(count(self.limit));
        let keys = tx.execute(keys).await?;
        let workers = sql(include_str!("../queries/worker_forget.sql")).bind((tx.steady - WORKER_KEPT).micros()).bind(count(self.limit));
        let workers = tx.execute(workers).await?;
        if workers > 0 {
            tx.execute(sql(include_str!("../queries/worker_kind_forget.sql"))).await?;
        }
        self.forget_the_books(tx).await?;
        let number = |rows| usize::try_from(rows).unwrap_or(usize::MAX);
        Ok(Retained { jobs: ids.len(), keys: number(keys), workers: number(workers) })
    }
}

impl Retain {
    /// What is only there to be read.
    async fn forget_the_books(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        for (statement, kept) in [
            (include_str!("../queries/audit_forget.sql"), AUDIT_KEPT),
            (include_str!("../queries/job_rate_forget.sql"), STATS_KEPT),
            (include_str!("../queries/operation_forget.sql"), OPERATIONS_KEPT),
        ] {
            tx.execute(sql(statement).bind((tx.now - kept).micros()).bind(count(self.limit))).await?;
        }
        Ok(())
    }

    async fn past(&self, tx: &mut Tx<'_>) -> Result<Vec<JobId>, Fault> {
        let mut ids = Vec::new();
        for (place, state) in JobState::TERMINAL.into_iter().enumerate() {
            let Some(kept) = self.kept.of(state) else { continue };
            let before = tx.now - kept;
            let from = tx.context.retained_from.0.lock()[place];
            let (found, next) = self.look(tx, state, from.unwrap_or_default(), before, self.limit - ids.len()).await?;
            tx.context.retained_from.0.lock()[place] = next;
            ids.extend(found);
        }
        Ok(ids)
    }

    /// Up to `limit` jobs that no open key names, and where to go on; `None`: from the start.
    async fn look(
        &self,
        tx: &mut Tx<'_>,
        state: JobState,
        from: Timestamp,
        before: Timestamp,
        limit: usize,
    ) -> Result<(Vec<JobId>, Option<Timestamp>), Fault> {
        let looks = self.limit * LOOKS_PER_JOB;
        let statement = sql(include_str!("../queries/job_past_retention.sql"))
            .bind(i64::from(state.code()))
            .bind(from.micros())
            .bind(before.micros())
            .bind(tx.now.micros())
            .bind(count(looks));
        let rows = tx.rows(statement).await?;
        let mut ids = Vec::new();
        for row in &rows {
            let mut c = Columns::of(row);
            let (id, finished_at, is_named) = (c.job_id()?, c.time()?, c.flag()?);
            if is_named {
                continue;
            }
            if ids.len() == limit {
                return Ok((ids, Some(finished_at)));
            }
            ids.push(id);
        }
        let last = rows.last().map(|row| Columns::of(row).skip(1).time()).transpose()?;
        // When all that was looked at ended in one instant, going on from there would look at the same again.
        let next = last.filter(|last| rows.len() == looks && *last > from);
        Ok((ids, next))
    }
}

/// With a job goes all that belongs to it. No open key names it, so its expired ones may go in their own time.
async fn forget(tx: &mut Tx<'_>, ids: &[JobId]) -> Result<(), Fault> {
    let list = job_list(ids);
    for statement in [
        include_str!("../queries/timer_forget.sql"),
        include_str!("../queries/effect_forget.sql"),
        include_str!("../queries/job_event_forget.sql"),
        include_str!("../queries/job_log_forget.sql"),
        DEAD_LETTER_FORGET,
        include_str!("../queries/job_forget.sql"),
    ] {
        tx.execute(sql(statement).bind(list.clone())).await?;
    }
    Ok(())
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
