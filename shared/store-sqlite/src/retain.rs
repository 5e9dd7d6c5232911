//! What is kept no longer?

use std::time::Duration;

use async_trait::async_trait;
use domain::{JobId, JobState};
use store::{Retained, Retention};

use crate::fault::Fault;
use crate::row::{job_ids, job_list};
use crate::tx::{Tx, sql};
use crate::writer::Write;

/// How long a worker is shown after its lease ended.
const WORKER_KEPT: Duration = Duration::from_secs(24 * 3_600);

/// Deletes ended jobs past their retention, expired keys, workers long dead.
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
        let workers = sql(include_str!("../queries/worker_forget.sql")).bind((tx.now - WORKER_KEPT).micros()).bind(count(self.limit));
        let workers = tx.execute(workers).await?;
        if workers > 0 {
            tx.execute(sql(include_str!("../queries/worker_kind_forget.sql"))).await?;
        }
        let number = |rows| usize::try_from(rows).unwrap_or(usize::MAX);
        Ok(Retained { jobs: ids.len(), keys: number(keys), workers: number(workers) })
    }
}

impl Retain {
    async fn past(&self, tx: &mut Tx<'_>) -> Result<Vec<JobId>, Fault> {
        let mut ids = Vec::new();
        for state in JobState::TERMINAL {
            let Some(kept) = self.kept.of(state) else { continue };
            let statement = sql(include_str!("../queries/job_past_retention.sql"))
                .bind(i64::from(state.code()))
                .bind((tx.now - kept).micros())
                .bind(count(self.limit - ids.len()));
            ids.extend(job_ids(&tx.rows(statement).await?)?);
        }
        Ok(ids)
    }
}

/// A window that is still open closes with its job: a remembered key must find its job.
async fn forget(tx: &mut Tx<'_>, ids: &[JobId]) -> Result<(), Fault> {
    let list = job_list(ids);
    for statement in [
        include_str!("../queries/job_dedup_forget.sql"),
        include_str!("../queries/timer_forget.sql"),
        include_str!("../queries/effect_forget.sql"),
        include_str!("../queries/job_event_forget.sql"),
        include_str!("../queries/job_log_forget.sql"),
        include_str!("../queries/dead_letter_forget.sql"),
        include_str!("../queries/job_forget.sql"),
    ] {
        tx.execute(sql(statement).bind(list.clone())).await?;
    }
    Ok(())
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
