//! Who did what? Every change by a person leaves a row, in its own transaction (I12).

use domain::bounds::{PAGE_ROWS_MAX, PAGE_SCAN_ROWS_MAX};
use domain::{Act, TenantId};
use serde_json::{Map, Value, json};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteRow;
use store::{Actor, AuditPage, AuditPageRows, AuditRow};

use crate::fault::Fault;
use crate::row::Columns;
use crate::tx::{Sql, Tx, sql};

/// A line of the audit log; the tenant is the one whose thing was changed.
pub(crate) struct Audit<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) action: &'a str,
    pub(crate) target: String,
    pub(crate) data: Option<String>,
}

pub(crate) async fn write_audit(tx: &mut Tx<'_>, by: &Actor, audit: Audit<'_>) -> Result<(), Fault> {
    let statement = sql(include_str!("../queries/audit_insert.sql"))
        .bind(tx.now.micros())
        .bind(audit.tenant.to_string())
        .bind(by.name.clone())
        .bind(by.request_id.clone())
        .bind(audit.action.to_owned())
        .bind(audit.target)
        .bind(audit.data);
    tx.execute(statement).await?;
    Ok(())
}

/// What an act asks for, in the words of the audit log.
pub(crate) fn asked_for(act: &Act) -> Map<String, Value> {
    let mut asked = Map::new();
    match act {
        Act::Reprioritize { priority } => drop(asked.insert("priority".to_owned(), json!(priority))),
        Act::Reschedule { run_at } => drop(asked.insert("run_at".to_owned(), json!(run_at))),
        Act::Cancel | Act::Retry | Act::RunNow => {}
    }
    asked
}

/// Reads a page from one snapshot, looking at a bounded number of rows.
pub(crate) async fn page(pool: &SqlitePool, tenant: &TenantId, page: &AuditPage) -> Result<AuditPageRows, Fault> {
    let limit = page.limit.clamp(1, PAGE_ROWS_MAX);
    let before = page.after.map_or(i64::MAX, |after| i64::try_from(after).unwrap_or(i64::MAX));
    let looks = i64::try_from(PAGE_SCAN_ROWS_MAX).unwrap_or(i64::MAX);
    let bounds = |statement: Sql| statement.bind(tenant.to_string()).bind(before).bind(looks);
    let mut tx = pool.begin().await?;
    let find = bounds(sql(include_str!("../queries/audit_list.sql")))
        .bind(page.actor.clone())
        .bind(page.action.clone())
        .bind(page.target.clone())
        .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX));
    let found = find.fetch_all(&mut *tx).await?;
    let end = bounds(sql(include_str!("../queries/audit_list_end.sql")));
    let last = if found.len() > limit { found.get(limit - 1).map(id) } else { end.fetch_optional(&mut *tx).await?.as_ref().map(id) };
    let rows = found.iter().take(limit).map(row).collect::<Result<_, _>>()?;
    Ok(AuditPageRows { rows, next: last.transpose()? })
}

fn id(row: &SqliteRow) -> Result<u64, Fault> {
    Columns::of(row).number()
}

fn row(row: &SqliteRow) -> Result<AuditRow, Fault> {
    let mut c = Columns::of(row);
    c.skip(1);
    Ok(AuditRow {
        at: c.time()?,
        tenant: c.parsed()?,
        actor: c.text()?,
        request_id: c.text()?,
        action: c.text()?,
        target: c.text()?,
        data: c.maybe_text()?,
    })
}
