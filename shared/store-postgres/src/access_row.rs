//! How do columns become keys, endpoints and audit rows?

use sqlx::postgres::PgRow;
use store::{ApiKey, AuditRow, Endpoint, Scopes};

use crate::fault::Fault;
use crate::row::Columns;

pub(crate) fn api_key(row: &PgRow) -> Result<ApiKey, Fault> {
    let mut c = Columns::of(row);
    Ok(ApiKey {
        id: domain::KeyId::from_bytes(c.bytes()?),
        tenant: c.parsed()?,
        name: c.text()?,
        scopes: Scopes::from_bits(c.number()?),
        hash: c.bytes()?,
        created_at: c.time()?,
        revoked_at: c.maybe_time()?,
    })
}

pub(crate) fn endpoint(row: &PgRow) -> Result<Endpoint, Fault> {
    let mut c = Columns::of(row);
    Ok(Endpoint {
        tenant: c.parsed()?,
        name: c.parsed()?,
        url: c.maybe_text()?,
        sealed_secret: c.blob()?,
        created_at: c.time()?,
        disabled_at: c.maybe_time()?,
        disabled_reason: c.maybe_text()?,
    })
}

/// From the columns of `audit_page`, of which the first is the row's number.
pub(crate) fn audit(row: &PgRow) -> Result<AuditRow, Fault> {
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
