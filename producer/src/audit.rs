//! Handler of `/v1/audit`: who did what.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::Timestamp;
use domain::bounds::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use serde::Serialize;
use serde_json::value::RawValue;
use store::{Access, AuditPage, AuditRow};

use crate::form::plain;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::query::Query;

/// Characters of a name that the log is asked for.
pub const WORD_CHARS_MAX: usize = 200;

#[derive(Serialize)]
struct Audit<'a> {
    audit: Vec<Line<'a>>,
    /// Where to go on; `null`: that was all.
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    at: Timestamp,
    actor: &'a str,
    action: &'a str,
    target: &'a str,
    request_id: &'a str,
    data: Option<&'a RawValue>,
}

impl<'a> Line<'a> {
    fn of(row: &'a AuditRow) -> Self {
        let AuditRow { at, tenant: _, actor, request_id, action, target, data } = row;
        let data = data.as_deref().and_then(|text| serde_json::from_str(text).ok());
        Self { at: *at, actor, action, target, request_id, data }
    }
}

pub async fn list(State(access): State<Arc<dyn Access>>, principal: Principal, mut query: Query) -> Result<Response, Problem> {
    let tenant = query.take_tenant(&principal)?;
    let page = AuditPage {
        actor: query.take("actor", plain(WORD_CHARS_MAX)),
        action: query.take("action", plain(WORD_CHARS_MAX)),
        target: query.take("target", plain(WORD_CHARS_MAX)),
        after: query.take("cursor", row_id),
        limit: query.take_limit(PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX),
    };
    query.finish()?;
    let found = access.audit(&tenant, &page).await?;
    let cursor = found.next.map(|next| next.to_string());
    Ok(Json(Audit { audit: found.rows.iter().map(Line::of).collect(), cursor }).into_response())
}

/// The number of a row: what stores count with is signed.
fn row_id(text: &str) -> Result<u64, &'static str> {
    let fits = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| fits).ok_or("is not a cursor of the audit log")
}
