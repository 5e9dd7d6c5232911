//! Who did what? A page of the audit log, newest first, after a bounded look at it.

use domain::TenantId;
use domain::bounds::{PAGE_ROWS_MAX, PAGE_SCAN_ROWS_MAX};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnection, PgRow};
use store::{AuditPage, AuditPageRows};

use crate::access_row::audit;
use crate::fault::Fault;
use crate::reader::SNAPSHOT;
use crate::row::{Columns, clean};
use crate::shelf::readable;
use crate::tx::{Sql, sql};

/// Reads a page from one snapshot.
pub(crate) async fn page(connection: &mut PgConnection, tenant: &TenantId, page: &AuditPage) -> Result<AuditPageRows, Fault> {
    let limit = page.limit.clamp(1, PAGE_ROWS_MAX);
    let mut tx = connection.begin_with(SNAPSHOT).await?;
    let text = |text: &Option<String>| text.as_deref().map(|text| clean(text).into_owned());
    let find = bounds(sql(include_str!("../queries/audit_page.sql")), tenant, page)
        .bind(text(&page.actor))
        .bind(text(&page.action))
        .bind(text(&page.target))
        .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX));
    let mut rows = find.fetch_all(&mut *tx).await?;
    let next = if rows.len() > limit {
        rows.truncate(limit);
        rows.last().map(number).transpose()?
    } else {
        let end = bounds(sql(include_str!("../queries/audit_page_end.sql")), tenant, page);
        end.fetch_optional(&mut *tx).await?.as_ref().map(number).transpose()?
    };
    tx.rollback().await?;
    Ok(AuditPageRows { rows: readable(&rows, audit), next })
}

fn number(row: &PgRow) -> Result<u64, Fault> {
    Columns::of(row).number()
}

/// The rows that one page may look at.
fn bounds(statement: Sql, tenant: &TenantId, page: &AuditPage) -> Sql {
    let before = page.after.map_or(i64::MAX, |row| i64::try_from(row).unwrap_or(i64::MAX));
    statement.bind(tenant.to_string()).bind(before).bind(i64::try_from(PAGE_SCAN_ROWS_MAX).unwrap_or(i64::MAX))
}
