//! Who died of what? Dead letters by their jobs' ids, and those that look alike together.

use domain::bounds::{DEAD_GROUPS_MAX, PAGE_ROWS_MAX, PAGE_SCAN_ROWS_MAX};
use domain::{Cursor, DeadFilter, JobId, TenantId, Timestamp};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteRow;
use store::{DeadGroup, DeadLetter, DeadLetterPage, DeadPage};

use crate::fault::Fault;
use crate::listing::Found;
use crate::row::{Columns, job_list};
use crate::shelf::readable;
use crate::tx::{Sql, Tx, sql};

/// The rows that one page may look at.
pub(crate) struct Scan<'f> {
    tenant: String,
    filter: &'f DeadFilter,
    before: [u8; 16],
}

impl<'f> Scan<'f> {
    pub(crate) fn of(tenant: &TenantId, filter: &'f DeadFilter, after: Option<JobId>) -> Self {
        // No job has the highest id of all.
        Self { tenant: tenant.to_string(), filter, before: after.map_or([0xff; 16], |id| *id.as_bytes()) }
    }

    fn find(&self, limit: usize) -> Sql {
        let bounded = self.bounds(sql(include_str!("../queries/dead_letter_page.sql")));
        filtered(bounded, self.filter).bind(i64::try_from(limit).unwrap_or(i64::MAX))
    }

    fn end(&self) -> Sql {
        self.bounds(sql(include_str!("../queries/dead_letter_page_end.sql")))
    }

    fn bounds(&self, statement: Sql) -> Sql {
        let looks = i64::try_from(PAGE_SCAN_ROWS_MAX).unwrap_or(i64::MAX);
        statement.bind(self.tenant.clone()).bind(self.before.to_vec()).bind(looks)
    }
}

fn filtered(statement: Sql, filter: &DeadFilter) -> Sql {
    statement
        .bind(filter.queue.as_ref().map(ToString::to_string))
        .bind(filter.kind.as_ref().map(ToString::to_string))
        .bind(filter.fingerprint.clone())
        .bind(filter.reason.clone())
        .bind(filter.dead_after.map(Timestamp::micros))
        .bind(filter.dead_before.map(Timestamp::micros))
}

/// Finds the jobs of a page inside a transaction, for acts on them.
pub(crate) async fn find(tx: &mut Tx<'_>, scan: &Scan<'_>, limit: usize) -> Result<Found, Fault> {
    let mut found = Found::cut(&tx.rows(scan.find(limit + 1)).await?, limit)?;
    if found.next.is_none() {
        found.next = tx.row(scan.end()).await?.as_ref().map(last).transpose()?;
    }
    Ok(found)
}

/// Reads a page from one snapshot.
pub(crate) async fn page(pool: &SqlitePool, tenant: &TenantId, page: &DeadPage) -> Result<DeadLetterPage, Fault> {
    let limit = page.limit.clamp(1, PAGE_ROWS_MAX);
    let scan = Scan::of(tenant, &page.filter, page.after.map(|Cursor(id)| id));
    let mut tx = pool.begin().await?;
    let mut found = Found::cut(&scan.find(limit + 1).fetch_all(&mut *tx).await?, limit)?;
    if found.next.is_none() {
        found.next = scan.end().fetch_optional(&mut *tx).await?.as_ref().map(last).transpose()?;
    }
    let read = sql(include_str!("../queries/dead_letter_list.sql")).bind(scan.tenant.clone()).bind(job_list(&found.ids));
    let mut dead_letters: Vec<DeadLetter> = readable(&read.fetch_all(&mut *tx).await?, dead_letter);
    dead_letters.sort_by_key(|letter| std::cmp::Reverse(letter.job));
    Ok(DeadLetterPage { dead_letters, next: found.next.map(Cursor) })
}

/// The statement that groups what the filter names.
pub(crate) fn groups(tenant: &TenantId, filter: &DeadFilter, limit: usize) -> Sql {
    let statement = sql(include_str!("../queries/dead_letter_groups.sql")).bind(tenant.to_string());
    filtered(statement, filter).bind(i64::try_from(limit.clamp(1, DEAD_GROUPS_MAX)).unwrap_or(i64::MAX))
}

fn last(row: &SqliteRow) -> Result<JobId, Fault> {
    Columns::of(row).job_id()
}

fn dead_letter(row: &SqliteRow) -> Result<DeadLetter, Fault> {
    let mut c = Columns::of(row);
    Ok(DeadLetter {
        job: c.job_id()?,
        queue: c.parsed()?,
        kind: c.parsed()?,
        fingerprint: c.text()?,
        reason: c.text()?,
        message: c.maybe_text()?.unwrap_or_default(),
        hint: c.maybe_text()?,
        attempts: c.number()?,
        at: c.time()?,
    })
}

pub(crate) fn dead_group(row: &SqliteRow) -> Result<DeadGroup, Fault> {
    let mut c = Columns::of(row);
    Ok(DeadGroup {
        fingerprint: c.text()?,
        queue: c.parsed()?,
        kind: c.parsed()?,
        reason: c.text()?,
        message: c.maybe_text()?.unwrap_or_default(),
        count: c.number()?,
        first_at: c.time()?,
        last_at: c.time()?,
        sample: c.job_id()?,
    })
}
