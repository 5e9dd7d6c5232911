//! Which jobs are on a page of a listing, and where does the next one begin?

use std::time::Duration;

use domain::bounds::{PAGE_ROWS_MAX, PAGE_SCAN_ROWS_MAX};
use domain::{Cursor, Job, TenantId, Timestamp};
use sqlx::SqlitePool;
use store::{JobPage, PageRequest};

use crate::fault::Fault;
use crate::row::{Columns, job, job_ids, job_list};
use crate::shelf::readable;
use crate::tx::{Sql, sql};

/// Jobs without payload and result: a page of full ones could be hundreds of megabytes.
pub(crate) const JOB_OUTLINE: &str = include_str!("../queries/job_outline.sql");

/// How far the time in an id may lie from `created_at`: minters correct their clocks to well below this.
const ID_CLOCK_SLACK: Duration = Duration::from_secs(3_600);

/// Reads a page from one snapshot. Ids carry the time, so the ends of the time filter bound the scan.
pub(crate) async fn page(pool: &SqlitePool, tenant: &TenantId, page: &PageRequest) -> Result<JobPage, Fault> {
    let limit = page.limit.clamp(1, PAGE_ROWS_MAX);
    let scan = Scan::of(tenant, page);
    let mut tx = pool.begin().await?;
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
    let read = sql(JOB_OUTLINE).bind(scan.tenant.clone()).bind(job_list(&ids));
    let mut jobs: Vec<Job> = readable(&read.fetch_all(&mut *tx).await?, job);
    jobs.sort_by_key(|job| std::cmp::Reverse(job.id));
    Ok(JobPage { jobs, next, scanned_until })
}

/// The rows that one page may look at.
struct Scan {
    tenant: String,
    before: Vec<u8>,
    from: Vec<u8>,
}

impl Scan {
    fn of(tenant: &TenantId, page: &PageRequest) -> Self {
        let cursor = page.after.map(|Cursor(id)| *id.as_bytes());
        let newest = page.filter.created_before.map(|at| first_id_at(at + ID_CLOCK_SLACK));
        // No job has the highest id of all.
        let before = cursor.into_iter().chain(newest).min().unwrap_or([0xff; 16]);
        let from = page.filter.created_after.map_or([0; 16], |at| first_id_at(at - ID_CLOCK_SLACK));
        Self { tenant: tenant.to_string(), before: before.to_vec(), from: from.to_vec() }
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
        statement
            .bind(self.tenant.clone())
            .bind(self.before.clone())
            .bind(self.from.clone())
            .bind(i64::try_from(PAGE_SCAN_ROWS_MAX).unwrap_or(i64::MAX))
    }
}

/// The lowest id that can be minted in the millisecond of `at`.
fn first_id_at(at: Timestamp) -> [u8; 16] {
    let millis = u64::try_from(at.micros() / 1_000).unwrap_or(0).min((1 << 48) - 1);
    let mut id = [0; 16];
    id[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    id
}
