//! Which jobs are on a page of a listing, and where does the next one begin?

use std::time::Duration;

use domain::bounds::{PAGE_ROWS_MAX, PAGE_SCAN_ROWS_MAX};
use domain::{Cursor, Job, TenantId, Timestamp};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use store::{JobPage, PageRequest};
use uuid::Uuid;

use crate::fault::Fault;
use crate::partition::lowest_id_at;
use crate::reader::SNAPSHOT;
use crate::row::{Columns, job, job_ids};
use crate::shelf::readable;
use crate::tx::{Sql, sql, sql_of};

/// Jobs without payload and result: a page of full ones could be hundreds of megabytes.
pub(crate) const JOB_OUTLINE: &str = include_str!("../queries/job_outline.sql");

/// How far the time in an id may lie from `created_at`: minters correct their clocks to well below this.
const ID_CLOCK_SLACK: Duration = Duration::from_secs(3_600);

/// Reads a page from one snapshot. Ids carry the time, so the ends of the time filter bound the scan.
pub(crate) async fn page(connection: &mut PgConnection, tenant: &TenantId, page: &PageRequest) -> Result<JobPage, Fault> {
    let limit = page.limit.clamp(1, PAGE_ROWS_MAX);
    let scan = Scan::of(tenant, page);
    let mut tx = connection.begin_with(SNAPSHOT).await?;
    let mut ids = job_ids(&scan.find(page, limit + 1).fetch_all(&mut *tx).await?)?;
    let more = ids.len() > limit;
    ids.truncate(limit);
    let (mut next, mut scanned_until) = (None, None);
    if more {
        next = ids.last().copied().map(Cursor);
    } else if let Some(row) = scan.end().fetch_optional(&mut *tx).await? {
        let mut c = Columns::of(&row);
        (next, scanned_until) = (Some(Cursor(c.job_id()?)), Some(c.time()?));
    }
    let read = sql_of(JOB_OUTLINE, &ids).bind(scan.tenant.clone());
    let mut jobs: Vec<Job> = readable(&read.fetch_all(&mut *tx).await?, job);
    tx.rollback().await?;
    jobs.sort_by_key(|job| std::cmp::Reverse(job.id));
    Ok(JobPage { jobs, next, scanned_until })
}

/// The rows that one page may look at.
struct Scan {
    tenant: String,
    before: Uuid,
    from: Uuid,
}

impl Scan {
    fn of(tenant: &TenantId, page: &PageRequest) -> Self {
        let cursor = page.after.map(|Cursor(id)| *id.as_uuid());
        let newest = page.filter.created_before.map(|at| lowest_id_at((at + ID_CLOCK_SLACK).micros()));
        // No job has the highest id of all.
        let before = cursor.into_iter().chain(newest).min().unwrap_or(Uuid::max());
        let from = page.filter.created_after.map_or(Uuid::nil(), |at| lowest_id_at((at - ID_CLOCK_SLACK).micros()));
        Self { tenant: tenant.to_string(), before, from }
    }

    fn find(&self, page: &PageRequest, limit: usize) -> Sql {
        let filter = &page.filter;
        self.bounds(sql(include_str!("../queries/job_page.sql")))
            .bind(filter.state.map(|state| i64::from(state.code())))
            .bind(filter.kind.as_ref().map(ToString::to_string))
            .bind(filter.queue.as_ref().map(ToString::to_string))
            .bind(filter.tag.clone())
            .bind(filter.created_after.map(Timestamp::micros))
            .bind(filter.created_before.map(Timestamp::micros))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    }

    fn end(&self) -> Sql {
        self.bounds(sql(include_str!("../queries/job_page_end.sql")))
    }

    fn bounds(&self, statement: Sql) -> Sql {
        statement.bind(self.tenant.clone()).bind(self.before).bind(self.from).bind(i64::try_from(PAGE_SCAN_ROWS_MAX).unwrap_or(i64::MAX))
    }
}
