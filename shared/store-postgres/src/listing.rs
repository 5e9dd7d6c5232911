//! Which jobs are on a page of a listing, and where does the next one begin?
//!
//! A page looks at a bounded number of rows, newest first: of jobs, or where dead ones are wanted of dead letters, so that the few
//! are found behind the many.

use std::time::Duration;

use domain::bounds::{PAGE_ROWS_MAX, PAGE_SCAN_ROWS_MAX};
use domain::{Cursor, Job, JobFilter, JobId, JobState, TenantId, Timestamp};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnection, PgRow};
use store::{JobPage, PageRequest};
use uuid::Uuid;

use crate::fault::Fault;
use crate::partition::lowest_id_at;
use crate::reader::SNAPSHOT;
use crate::row::{Columns, clean, job, job_ids};
use crate::shelf::readable;
use crate::tx::{Sql, sql, sql_of};

/// Jobs without payload and result: a page of full ones could be hundreds of megabytes.
pub(crate) const JOB_OUTLINE: &str = include_str!("../queries/job_outline.sql");

/// How far the time in an id may lie from `created_at`: minters correct their clocks to well below this.
const ID_CLOCK_SLACK: Duration = Duration::from_secs(3_600);

/// Reads a page from one snapshot. Ids carry the time, so the ends of the time filter bound the scan.
pub(crate) async fn page(connection: &mut PgConnection, tenant: &TenantId, page: &PageRequest) -> Result<JobPage, Fault> {
    let limit = page.limit.clamp(1, PAGE_ROWS_MAX);
    let scan = Scan::of(tenant, &page.filter, page.after.map(|Cursor(id)| id));
    let mut tx = connection.begin_with(SNAPSHOT).await?;
    let mut ids = job_ids(&scan.find(PAGE_SCAN_ROWS_MAX, limit + 1).fetch_all(&mut *tx).await?)?;
    let more = ids.len() > limit;
    ids.truncate(limit);
    let (mut next, mut scanned_until) = (None, None);
    if more {
        next = ids.last().copied().map(Cursor);
    } else if let Some(row) = scan.end().fetch_optional(&mut *tx).await? {
        let (id, at) = stopped(&row)?;
        (next, scanned_until) = (Some(Cursor(id)), Some(at));
    }
    let read = sql_of(JOB_OUTLINE, &ids).bind(scan.tenant.clone());
    let mut jobs: Vec<Job> = readable(&read.fetch_all(&mut *tx).await?, job);
    tx.rollback().await?;
    jobs.sort_by_key(|job| std::cmp::Reverse(job.id));
    Ok(JobPage { jobs, next, scanned_until })
}

/// Where a scan stopped, and when that job was accepted.
fn stopped(row: &PgRow) -> Result<(JobId, Timestamp), Fault> {
    let mut c = Columns::of(row);
    Ok((c.job_id()?, c.time()?))
}

/// A bounded look at a tenant's jobs, newest first.
pub(crate) struct Scan {
    tenant: String,
    before: Uuid,
    from: Uuid,
    filter: JobFilter,
}

impl Scan {
    pub(crate) fn of(tenant: &TenantId, filter: &JobFilter, after: Option<JobId>) -> Self {
        let cursor = after.map(|id| *id.as_uuid());
        let newest = filter.created_before.map(|at| lowest_id_at((at + ID_CLOCK_SLACK).micros()));
        // No job has the highest id of all.
        let before = cursor.into_iter().chain(newest).min().unwrap_or(Uuid::max());
        let from = filter.created_after.map_or(Uuid::nil(), |at| lowest_id_at((at - ID_CLOCK_SLACK).micros()));
        Self { tenant: tenant.to_string(), before, from, filter: filter.clone() }
    }

    /// Those that pass the filter, among so many of the next rows.
    pub(crate) fn find(&self, rows: usize, limit: usize) -> Sql {
        let filter = &self.filter;
        let statement =
            if self.is_of_the_dead() { include_str!("../queries/job_page_dead.sql") } else { include_str!("../queries/job_page.sql") };
        let search = filter.search();
        let ids = search.as_ref().and_then(|search| search.ids);
        self.bounds(sql(statement), rows)
            .bind(filter.state.map(|state| i64::from(state.code())))
            .bind(filter.kind.as_ref().map(ToString::to_string))
            .bind(filter.queue.as_ref().map(ToString::to_string))
            .bind(filter.tag.as_deref().map(|tag| clean(tag).into_owned()))
            .bind(filter.created_after.map(Timestamp::micros))
            .bind(filter.created_before.map(Timestamp::micros))
            .bind(search.map(|search| clean(&search.text).into_owned()))
            .bind(ids.map(|(first, _)| *first.as_uuid()))
            .bind(ids.map(|(_, last)| *last.as_uuid()))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    }

    /// Where a look at the next [`PAGE_SCAN_ROWS_MAX`] rows stops, if there are more.
    pub(crate) fn end(&self) -> Sql {
        let statement = if self.is_of_the_dead() {
            include_str!("../queries/job_page_dead_end.sql")
        } else {
            include_str!("../queries/job_page_end.sql")
        };
        self.bounds(sql(statement), PAGE_SCAN_ROWS_MAX)
    }

    /// Every dead job, and no other, has a dead letter.
    fn is_of_the_dead(&self) -> bool {
        self.filter.state == Some(JobState::Dead)
    }

    fn bounds(&self, statement: Sql, rows: usize) -> Sql {
        statement.bind(self.tenant.clone()).bind(self.before).bind(self.from).bind(i64::try_from(rows).unwrap_or(i64::MAX))
    }
}
