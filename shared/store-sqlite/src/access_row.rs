//! How do columns become keys and endpoints?

use sqlx::sqlite::SqliteRow;
use store::{ApiKey, Endpoint, Scopes};

use crate::fault::Fault;
use crate::row::Columns;

pub(crate) fn api_key(row: &SqliteRow) -> Result<ApiKey, Fault> {
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

pub(crate) fn endpoint(row: &SqliteRow) -> Result<Endpoint, Fault> {
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
