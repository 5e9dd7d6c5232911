//! Which jobs are on a page of a listing, and where does the next one begin?

use std::time::Duration;

use domain::bounds::{PAGE_ROWS_MAX, PAGE_SCAN_ROWS_MAX};
use domain::{Cursor, Job, JobFilter, JobId, JobState, TenantId, Timestamp};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteRow;
use store::{JobPage, PageRequest};

use crate::fault::Fault;
use crate::row::{Columns, job, job_ids, job_list};
use crate::shelf::readable;
use crate::tx::{Sql, Tx, sql};

/// Jobs without payload and result: a page of full ones could be hundreds of megabytes.
pub(crate) const JOB_OUTLINE: &str = include_str!("../queries/job_outline.sql");

/// How far the time in an id may lie from `created_at`: minters correct their clocks to well below this.
const ID_CLOCK_SLACK: Duration = Duration::from_secs(3_600);

/// Reads a page from one snapshot. Ids carry the time, so the ends of the time filter bound the scan.
pub(crate) async fn page(pool: &SqlitePool, tenant: &TenantId, page: &PageRequest) -> Result<JobPage, Fault> {
    let limit = page.limit.clamp(1, PAGE_ROWS_MAX);
    let scan = Scan::of(tenant, &page.filter, page.after.map(|Cursor(id)| id));
    let mut tx = pool.begin().await?;
    let mut found = Found::cut(&scan.find(limit + 1).fetch_all(&mut *tx).await?, limit)?;
    if found.next.is_none() {
        found.stopped(scan.end().fetch_optional(&mut *tx).await?.as_ref())?;
    }
    let read = sql(JOB_OUTLINE).bind(scan.tenant.clone()).bind(job_list(&found.ids));
    let mut jobs: Vec<Job> = readable(&read.fetch_all(&mut *tx).await?, job);
    jobs.sort_by_key(|job| std::cmp::Reverse(job.id));
    Ok(JobPage { jobs, next: found.next.map(Cursor), scanned_until: found.scanned_until })
}

/// Finds the jobs of a page inside a transaction, for acts on them.
pub(crate) async fn find(tx: &mut Tx<'_>, scan: &Scan<'_>, limit: usize) -> Result<Found, Fault> {
    let mut found = Found::cut(&tx.rows(scan.find(limit + 1)).await?, limit)?;
    if found.next.is_none() {
        found.stopped(tx.row(scan.end()).await?.as_ref())?;
    }
    Ok(found)
}

/// What a bounded scan came across.
#[derive(Default)]
pub(crate) struct Found {
    /// Newest first.
    pub(crate) ids: Vec<JobId>,
    /// What is older than this was not looked at; `None`: that was all.
    pub(crate) next: Option<JobId>,
    scanned_until: Option<Timestamp>,
}

impl Found {
    /// The first `limit`, and the last of them as the place to go on where there are more.
    pub(crate) fn cut(rows: &[SqliteRow], limit: usize) -> Result<Self, Fault> {
        let mut ids = job_ids(rows)?;
        let more = ids.len() > limit;
        ids.truncate(limit);
        let next = ids.last().copied().filter(|_| more);
        Ok(Self { ids, next, scanned_until: None })
    }

    /// The next ones of ids that are in order, newest first.
    pub(crate) fn among(ids: &[JobId], after: Option<JobId>, limit: usize) -> Self {
        let rest = &ids[ids.partition_point(|id| after.is_some_and(|after| *id >= after))..];
        let ids = rest[..rest.len().min(limit)].to_vec();
        let next = ids.last().copied().filter(|_| rest.len() > limit);
        Self { ids, next, scanned_until: None }
    }

    /// The scan looked at all rows it may: this was the last.
    fn stopped(&mut self, end: Option<&SqliteRow>) -> Result<(), Fault> {
        if let Some(row) = end {
            let mut c = Columns::of(row);
            (self.next, self.scanned_until) = (Some(c.job_id()?), Some(c.time()?));
        }
        Ok(())
    }
}

/// The rows that one page may look at.
pub(crate) struct Scan<'f> {
    tenant: String,
    filter: &'f JobFilter,
    before: [u8; 16],
    from: [u8; 16],
}

impl<'f> Scan<'f> {
    pub(crate) fn of(tenant: &TenantId, filter: &'f JobFilter, after: Option<JobId>) -> Self {
        let cursor = after.map(|id| *id.as_bytes());
        let newest = filter.created_before.map(|at| first_id_at(at + ID_CLOCK_SLACK));
        // No job has the highest id of all.
        let before = cursor.into_iter().chain(newest).min().unwrap_or([0xff; 16]);
        let from = filter.created_after.map_or([0; 16], |at| first_id_at(at - ID_CLOCK_SLACK));
        Self { tenant: tenant.to_string(), filter, before, from }
    }

    /// Dead jobs are few among many: their dead letters are looked through.
    fn is_of_the_dead(&self) -> bool {
        self.filter.state == Some(JobState::Dead)
    }

    fn find(&self, limit: usize) -> Sql {
        const ALL: &str = include_str!("../queries/job_page.sql");
        const DEAD: &str = include_str!("../queries/job_page_dead.sql");
        let (filter, search) = (self.filter, self.filter.search());
        let ids = search.as_ref().and_then(|search| search.ids);
        self.bounds(sql(if self.is_of_the_dead() { DEAD } else { ALL }))
            .bind(filter.state.map(|state| i64::from(state.code())))
            .bind(filter.kind.as_ref().map(ToString::to_string))
            .bind(filter.queue.as_ref().map(ToString::to_string))
            .bind(filter.tag.clone())
            .bind(filter.created_after.map(Timestamp::micros))
            .bind(filter.created_before.map(Timestamp::micros))
            .bind(search.map(|search| search.text))
            .bind(ids.map(|(first, _)| first.as_bytes().to_vec()))
            .bind(ids.map(|(_, last)| last.as_bytes().to_vec()))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    }

    fn end(&self) -> Sql {
        const ALL: &str = include_str!("../queries/job_page_end.sql");
        const DEAD: &str = include_str!("../queries/job_page_dead_end.sql");
        self.bounds(sql(if self.is_of_the_dead() { DEAD } else { ALL }))
    }

    fn bounds(&self, statement: Sql) -> Sql {
        statement
            .bind(self.tenant.clone())
            .bind(self.before.to_vec())
            .bind(self.from.to_vec())
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
