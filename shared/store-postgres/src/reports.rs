//! How does the port's reporting reach the readers?

use std::collections::HashMap;

use async_trait::async_trait;
use domain::{Job, JobId, TenantId, WorkerId};
use sqlx::postgres::PgRow;
use store::{AttemptLog, Depth, JobPage, PageRequest, Reports, Store as _, StoreError, TimelineEntry, WorkerRow};

use crate::PostgresStore;
use crate::act::JOB_BY_ID;
use crate::fault::Fault;
use crate::health::{clocks_apart, takes_no_writes};
use crate::listing::JOB_OUTLINE;
use crate::row::{Columns, job, lines, worker_state};
use crate::shelf::readable;
use crate::tx::{sql, sql_of};
use crate::{listing, timeline};

#[async_trait]
impl Reports for PostgresStore {
    async fn ping(&self) -> Result<(), StoreError> {
        const DOING: &str = "answering a ping";
        self.context.health.check_lanes(DOING)?;
        self.lanes.check().map_err(|fault| fault.into_error(DOING))?;
        let look = self.reader.within(DOING, async {
            let mut connection = self.reader.acquire().await?;
            let standby = sql(include_str!("../queries/server_standby.sql")).fetch_one(&mut *connection).await?;
            let ahead = self.context.partitions.ahead(&mut connection, self.now()).await?;
            connection.give_back();
            Ok((Columns::of(&standby).flag()?, ahead))
        });
        let (is_standby, ahead) = look.await?;
        if is_standby {
            return Err(takes_no_writes());
        }
        if !self.context.clock.is_near_the_hosts() {
            return Err(clocks_apart());
        }
        self.context.health.check_partitions(ahead, DOING)
    }

    async fn job(&self, tenant: &TenantId, id: JobId) -> Result<Option<Job>, StoreError> {
        let statement = sql_of(JOB_BY_ID, &[id]).bind(tenant.to_string());
        self.read_one("reading a job", statement, job).await
    }

    async fn jobs_by_id(&self, tenant: &TenantId, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        let statement = sql_of(JOB_OUTLINE, ids).bind(tenant.to_string());
        let found = readable(&self.reader.rows("reading jobs", statement).await?, job);
        let mut found: HashMap<JobId, Job> = found.into_iter().map(|job| (job.id, job)).collect();
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    async fn jobs(&self, tenant: &TenantId, page: &PageRequest) -> Result<JobPage, StoreError> {
        let doing = "listing jobs";
        let read = async {
            let mut connection = self.reader.acquire_for_list().await?;
            let page = listing::page(&mut connection, tenant, page).await?;
            connection.give_back();
            Ok(page)
        };
        self.reader.within(doing, read).await
    }

    async fn timeline(&self, tenant: &TenantId, id: JobId) -> Result<Vec<TimelineEntry>, StoreError> {
        let read = async {
            let mut connection = self.reader.acquire_for_list().await?;
            let timeline = timeline::read(&mut connection, tenant, id).await?;
            connection.give_back();
            Ok(timeline)
        };
        self.reader.within("reading a timeline", read).await
    }

    async fn logs(&self, tenant: &TenantId, id: JobId) -> Result<Vec<AttemptLog>, StoreError> {
        let statement = sql(include_str!("../queries/job_log_list.sql")).bind(tenant.to_string()).bind(*id.as_uuid());
        self.read_all("reading logs", statement, attempt_log).await
    }

    async fn depths(&self) -> Result<Vec<Depth>, StoreError> {
        let rows = self.reader.list("counting queued jobs", sql(include_str!("../queries/job_depths.sql"))).await?;
        Ok(readable(&rows, depth))
    }

    async fn running(&self) -> Result<u64, StoreError> {
        let statement = sql(include_str!("../queries/job_running_count.sql"));
        let count = self.read_one("counting running jobs", statement, |row| Columns::of(row).number()).await?;
        Ok(count.unwrap_or(0))
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>, StoreError> {
        let statement = sql(include_str!("../queries/worker_list.sql")).bind(self.context.clock.shift()).bind(worker_state::LIVE);
        self.read_all("listing workers", statement, worker).await
    }
}

fn attempt_log(row: &PgRow) -> Result<AttemptLog, Fault> {
    let mut c = Columns::of(row);
    Ok(AttemptLog { run: c.number()?, lines: lines(&mut c)?, output: c.maybe_text()? })
}

fn depth(row: &PgRow) -> Result<Depth, Fault> {
    let mut c = Columns::of(row);
    Ok(Depth { queue: c.parsed()?, priority: c.priority()?, queued: c.number()?, oldest: c.maybe_time()? })
}

fn worker(row: &PgRow) -> Result<WorkerRow, Fault> {
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
