//! Who died of what? What is kept of a death, and how it is looked through.

use domain::bounds::{DEAD_GROUPS_MAX, PAGE_ROWS_MAX, PAGE_SCAN_ROWS_MAX};
use domain::{Cursor, DeadFilter, Failure, JobId, JobState, TenantId, Timestamp};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnection, PgRow};
use store::{DeadGroup, DeadLetter, DeadLetterPage, DeadPage};
use uuid::Uuid;

use crate::fault::Fault;
use crate::moves::Move;
use crate::reader::SNAPSHOT;
use crate::row::{Columns, clean, hex, to_json};
use crate::shelf::readable;
use crate::tx::{Sql, Tx, sql};

/// Deaths that groups are made of: the latest ones of a tenant.
const GROUPED_ROWS_MAX: i64 = 200_000;

/// Records the deaths among these moves.
pub(crate) async fn write(tx: &mut Tx<'_>, moves: &[Move]) -> Result<(), Fault> {
    let dead: Vec<&Move> = moves.iter().filter(|m| m.to() == JobState::Dead).collect();
    if dead.is_empty() {
        return Ok(());
    }
    let row = |m: &&Move| {
        let (class, code) = m.failure.as_ref().map_or(("unknown", "unknown"), |failure| (failure.class.as_str(), failure.code.as_str()));
        let (head, reason) = (&m.head, clean(code).into_owned());
        let (tenant, queue, kind) = (head.tenant.to_string(), head.queue.to_string(), head.kind.to_string());
        let fingerprint = format!("{kind}/{class}/{reason}");
        (hex(head.id.as_bytes()), tenant, queue, kind, fingerprint, reason, head.run, m.attempt)
    };
    let rows: Vec<_> = dead.iter().map(row).collect();
    tx.execute(sql(include_str!("../queries/dead_letter_insert.sql")).bind(to_json(&rows)?).bind(tx.now.micros())).await?;
    Ok(())
}

/// A walk through a tenant's dead letters, newest job first.
pub(crate) struct Letters {
    tenant: String,
    before: Uuid,
    filter: DeadFilter,
}

impl Letters {
    pub(crate) fn of(tenant: &TenantId, filter: &DeadFilter, after: Option<JobId>) -> Self {
        // No job has the highest id of all.
        let before = after.map_or(Uuid::max(), |id| *id.as_uuid());
        Self { tenant: tenant.to_string(), before, filter: filter.clone() }
    }

    /// Those that pass the filter, among so many of the next rows.
    pub(crate) fn find(&self, rows: usize, limit: usize) -> Sql {
        let statement = self.bounds(sql(include_str!("../queries/dead_letter_page.sql")), rows);
        bind_filter(statement, &self.filter).bind(i64::try_from(limit).unwrap_or(i64::MAX))
    }

    /// Where a look at the next [`PAGE_SCAN_ROWS_MAX`] rows stops, if there are more.
    pub(crate) fn end(&self) -> Sql {
        self.bounds(sql(include_str!("../queries/dead_letter_page_end.sql")), PAGE_SCAN_ROWS_MAX)
    }

    fn bounds(&self, statement: Sql, rows: usize) -> Sql {
        statement.bind(self.tenant.clone()).bind(self.before).bind(i64::try_from(rows).unwrap_or(i64::MAX))
    }
}

fn bind_filter(statement: Sql, filter: &DeadFilter) -> Sql {
    let text = |text: &Option<String>| text.as_deref().map(|text| clean(text).into_owned());
    statement
        .bind(filter.queue.as_ref().map(ToString::to_string))
        .bind(filter.kind.as_ref().map(ToString::to_string))
        .bind(text(&filter.fingerprint))
        .bind(text(&filter.reason))
        .bind(filter.dead_after.map(Timestamp::micros))
        .bind(filter.dead_before.map(Timestamp::micros))
}

/// Reads a page from one snapshot.
pub(crate) async fn page(connection: &mut PgConnection, tenant: &TenantId, page: &DeadPage) -> Result<DeadLetterPage, Fault> {
    let limit = page.limit.clamp(1, PAGE_ROWS_MAX);
    let letters = Letters::of(tenant, &page.filter, page.after.map(|Cursor(id)| id));
    let mut tx = connection.begin_with(SNAPSHOT).await?;
    let mut rows = letters.find(PAGE_SCAN_ROWS_MAX, limit + 1).fetch_all(&mut *tx).await?;
    let next = if rows.len() > limit {
        rows.truncate(limit);
        rows.last().map(|row| Columns::of(row).job_id()).transpose()?
    } else {
        let end = letters.end().fetch_optional(&mut *tx).await?;
        end.as_ref().map(|row| Columns::of(row).job_id()).transpose()?
    };
    tx.rollback().await?;
    Ok(DeadLetterPage { dead_letters: readable(&rows, letter), next: next.map(Cursor) })
}

pub(crate) fn groups(tenant: &TenantId, filter: &DeadFilter, limit: usize) -> Sql {
    let statement = sql(include_str!("../queries/dead_letter_groups.sql")).bind(tenant.to_string()).bind(GROUPED_ROWS_MAX);
    bind_filter(statement, filter).bind(i64::try_from(limit.min(DEAD_GROUPS_MAX)).unwrap_or(i64::MAX))
}

/// What the job's error tells besides its code; nothing when it is not there, or of a newer version.
fn told(c: &mut Columns<'_>) -> Result<(String, Option<String>), Fault> {
    let error = c.maybe_text()?.and_then(|text| serde_json::from_str::<Failure>(&text).ok());
    Ok(error.map(|failure| (failure.message, failure.hint)).unwrap_or_default())
}

fn letter(row: &PgRow) -> Result<DeadLetter, Fault> {
    let mut c = Columns::of(row);
    let (job, queue, kind) = (c.job_id()?, c.parsed()?, c.parsed()?);
    let (fingerprint, reason) = (c.text()?, c.text()?);
    let (message, hint) = told(&mut c)?;
    Ok(DeadLetter { job, queue, kind, fingerprint, reason, message, hint, attempts: c.number()?, at: c.time()? })
}

pub(crate) fn group(row: &PgRow) -> Result<DeadGroup, Fault> {
    let mut c = Columns::of(row);
    let (fingerprint, queue, kind, reason) = (c.text()?, c.parsed()?, c.parsed()?, c.text()?);
    let (message, _) = told(&mut c)?;
    let (count, first_at, last_at) = (c.number()?, c.time()?, c.time()?);
    Ok(DeadGroup { fingerprint, queue, kind, reason, message, count, first_at, last_at, sample: c.job_id()? })
}
