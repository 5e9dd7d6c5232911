//! How does the port's reporting reach the readers?

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use domain::{Job, JobId, TenantId, WorkerId};
use sqlx::sqlite::SqliteRow;
use store::{AttemptLog, Depth, JobPage, PageRequest, Reports, StoreError, TimelineEntry, WorkerRow};

use crate::SqliteStore;
use crate::act::JOB_BY_ID;
use crate::fault::Fault;
use crate::listing::JOB_OUTLINE;
use crate::row::{Columns, job, job_list, lines, worker_state};
use crate::shelf::readable;
use crate::tx::sql;
use crate::{listing, timeline};

#[async_trait]
impl Reports for SqliteStore {
    async fn ping(&self) -> Result<(), StoreError> {
        const DOING: &str = "answering a ping";
        if self.short_of_space.load(Ordering::Acquire) {
            return Err(StoreError::Full { doing: DOING, source: "the last write found no space".into() });
        }
        self.queue.check().map_err(|fault| fault.into_error(DOING))?;
        self.reader.row(DOING, sql(include_str!("../queries/store_ping.sql"))).await.map(drop)
    }

    async fn job(&self, tenant: &TenantId, id: JobId) -> Result<Option<Job>, StoreError> {
        let statement = sql(JOB_BY_ID).bind(tenant.to_string()).bind(job_list(&[id]));
        self.read_one("reading a job", statement, job).await
    }

    async fn jobs_by_id(&self, tenant: &TenantId, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        let statement = sql(JOB_OUTLINE).bind(tenant.to_string()).bind(job_list(ids));
        let found = readable(&self.reader.rows("reading jobs", statement).await?, job);
        let mut found: HashMap<JobId, Job> = found.into_iter().map(|job| (job.id, job)).collect();
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    async fn jobs(&self, tenant: &TenantId, page: &PageRequest) -> Result<JobPage, StoreError> {
        let doing = "listing jobs";
        self.reader.within(doing, listing::page(&self.reader.pool, tenant, page)).await
    }

    async fn timeline(&self, tenant: &TenantId, id: JobId) -> Result<Vec<TimelineEntry>, StoreError> {
        self.reader.within("reading a timeline", timeline::read(&self.reader.pool, tenant, id)).await
    }

    async fn logs(&self, tenant: &TenantId, id: JobId) -> Result<Vec<AttemptLog>, StoreError> {
        let statement = sql(include_str!("../queries/job_log_list.sql")).bind(tenant.to_string()).bind(id.as_bytes().to_vec());
        self.read_all("reading logs", statement, attempt_log).await
    }

    async fn depths(&self) -> Result<Vec<Depth>, StoreError> {
        let rows = self.reader.rows("counting queued jobs", sql(include_str!("../queries/job_depths.sql"))).await?;
        Ok(readable(&rows, depth))
    }

    async fn running(&self) -> Result<u64, StoreError> {
        let statement = sql(include_str!("../queries/job_running_count.sql"));
        let count = self.read_one("counting running jobs", statement, |row| Columns::of(row).number()).await?;
        Ok(count.unwrap_or(0))
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>, StoreError> {
        let statement = sql(include_str!("../queries/worker_list.sql")).bind(self.clock.steady().micros()).bind(worker_state::LIVE);
        let mut workers = self.read_all("listing workers", statement, worker).await?;
        for worker in &mut workers {
            worker.lease_until = self.clock.on_the_wall(worker.lease_until);
        }
        Ok(workers)
    }
}

fn attempt_log(row: &SqliteRow) -> Result<AttemptLog, Fault> {
    let mut c = Columns::of(row);
    Ok(AttemptLog { run: c.number()?, lines: lines(&mut c)?, output: c.maybe_text()? })
}

fn depth(row: &SqliteRow) -> Result<Depth, Fault> {
    let mut c = Columns::of(row);
    Ok(Depth { queue: c.parsed()?, priority: c.priority()?, queued: c.number()?, oldest: c.maybe_time()? })
}

fn worker(row: &SqliteRow) -> Result<WorkerRow, Fault> {
    let mut c = Columns::of(row);
    Ok(WorkerRow {
        id: WorkerId::from_bytes(c.bytes()?),
        name: c.text()?,
        host: c.text()?,
        pid: c.number()?,
        slots: c.number()?,
        version: c.text()?,
        live: c.flag()?,
        lease_until: c.time()?,
        running: c.number()?,
    })
}
