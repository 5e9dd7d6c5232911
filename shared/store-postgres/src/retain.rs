//! What is kept no longer?

use std::time::Duration;

use async_trait::async_trait;
use domain::bounds::{AUDIT_KEPT, OPERATIONS_KEPT, STATS_KEPT, WORKER_KEPT};
use domain::{JobId, JobState, Timestamp};
use parking_lot::Mutex;
use store::{Retained, Retention};
use uuid::Uuid;

use crate::fault::Fault;
use crate::lane::{Lane, Write};
use crate::partition::{lowest_id_at, try_share_space};
use crate::row::{Columns, job_ids};
use crate::tx::{Tx, sql, sql_of};

/// How many ended jobs a pass looks at for each that it may delete: many may be kept for longer.
const LOOKS_PER_JOB: usize = 4;

/// After which id the next pass goes on looking: passes are bounded, and what is kept must not hide the rest.
#[derive(Default)]
pub(crate) struct RetainedFrom(Mutex<Uuid>);

/// Deletes ended jobs past their retention, expired keys, workers long dead, old audit rows, figures and operations.
pub(crate) struct Retain {
    pub(crate) kept: Retention,
    pub(crate) limit: usize,
}

#[async_trait]
impl Write for Retain {
    type Reply = Retained;
    const DOING: &'static str = "deleting what is kept no longer";
    const LANE: Lane = Lane::Duties;

    fn rows(&self) -> usize {
        self.limit
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Retained, Fault> {
        let ids = self.past(tx).await?;
        if !ids.is_empty() {
            forget(tx, &ids).await?;
        }
        self.forget_figures(tx).await?;
        let keys = sql(include_str!("../queries/job_dedup_expire.sql")).bind(tx.now.micros()).bind(count(self.limit));
        let keys = tx.execute(keys).await?;
        let workers = sql(include_str!("../queries/worker_forget.sql")).bind(micros(WORKER_KEPT)).bind(count(self.limit)).bind(tx.shift());
        let workers = tx.execute(workers).await?;
        if workers > 0 {
            tx.execute(sql(include_str!("../queries/worker_kind_forget.sql"))).await?;
            tx.execute(sql(include_str!("../queries/worker_mark_forget.sql"))).await?;
            tx.execute(sql(include_str!("../queries/cancel_asked_forget_gone.sql"))).await?;
        }
        let audit = sql(include_str!("../queries/audit_forget.sql")).bind((tx.now - AUDIT_KEPT).micros()).bind(count(self.limit));
        tx.execute(audit).await?;
        let over = sql(include_str!("../queries/operation_forget.sql")).bind((tx.now - OPERATIONS_KEPT).micros()).bind(count(self.limit));
        tx.execute(over).await?;
        let number = |rows| usize::try_from(rows).unwrap_or(usize::MAX);
        Ok(Retained { jobs: ids.len(), keys: number(keys), workers: number(workers) })
    }
}

impl Retain {
    /// Those of the minutes long past; `job_stat` is what earlier versions counted in.
    async fn forget_figures(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        for statement in [include_str!("../queries/job_rate_forget.sql"), include_str!("../queries/job_stat_forget.sql")] {
            tx.execute(sql(statement).bind((tx.now - STATS_KEPT).micros()).bind(count(self.limit))).await?;
        }
        Ok(())
    }

    /// Up to `limit` jobs that are past their retention and that no open key names.
    async fn past(&self, tx: &mut Tx<'_>) -> Result<Vec<JobId>, Fault> {
        if !try_share_space(tx).await? {
            // A partition is being compacted: what is deleted from it now might come back.
            return Ok(Vec::new());
        }
        let from = *tx.context.retained_from.0.lock();
        let limits = Limits::of(&self.kept, tx.now);
        let looks = self.limit.saturating_mul(LOOKS_PER_JOB);
        let statement = sql(include_str!("../queries/job_past_retention.sql"))
            .bind(from)
            // Younger ids cannot belong to jobs that ended long enough ago.
            .bind(lowest_id_at((tx.now - self.kept.shortest()).micros()))
            .bind(limits.succeeded)
            .bind(limits.dead)
            .bind(limits.stopped)
            .bind(tx.now.micros())
            .bind(count(looks));
        let rows = tx.rows(statement).await?;
        let (mut ids, mut last) = (Vec::new(), None);
        for row in &rows {
            let mut c = Columns::of(row);
            let (id, is_past, is_named) = (c.job_id()?, c.flag()?, c.flag()?);
            if is_past && !is_named {
                if ids.len() == self.limit {
                    break;
                }
                ids.push(id);
            }
            last = Some(*id.as_uuid());
        }
        let stopped_early = rows.len() == looks || ids.len() == self.limit;
        *tx.context.retained_from.0.lock() = last.filter(|_| stopped_early).unwrap_or_default();
        let still = sql_of(include_str!("../queries/job_past_lock.sql"), &ids);
        job_ids(&tx.rows(still.bind(limits.succeeded).bind(limits.dead).bind(limits.stopped)).await?)
    }
}

/// Jobs that ended before these times are kept no longer.
pub(crate) struct Limits {
    pub(crate) succeeded: i64,
    pub(crate) dead: i64,
    pub(crate) stopped: i64,
}

impl Limits {
    pub(crate) fn of(kept: &Retention, now: Timestamp) -> Self {
        let before = |state| kept.of(state).map(|kept| (now - kept).micros()).unwrap_or_default();
        Self { succeeded: before(JobState::Succeeded), dead: before(JobState::Dead), stopped: before(JobState::Cancelled) }
    }
}

/// With a job goes all that belongs to it. No open key names it, so its expired ones may go in their own time.
async fn forget(tx: &mut Tx<'_>, ids: &[JobId]) -> Result<(), Fault> {
    for statement in [
        include_str!("../queries/timer_forget.sql"),
        include_str!("../queries/effect_forget.sql"),
        include_str!("../queries/job_event_forget.sql"),
        include_str!("../queries/job_log_forget.sql"),
        include_str!("../queries/dead_letter_forget.sql"),
        include_str!("../queries/job_forget.sql"),
    ] {
        tx.execute(sql_of(statement, ids)).await?;
    }
    Ok(())
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
