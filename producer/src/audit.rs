//! Handler of `/v1/audit`: who did what.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::Timestamp;
use domain::bounds::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use serde::Serialize;
use serde_json::value::RawValue;
use store::{Access, AuditRow};

use crate::principal::Principal;
use crate::problem::Problem;
use crate::query::Query;

#[derive(Serialize)]
struct Audit<'a> {
    audit: Vec<Line<'a>>,
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
    let limit = query.take_limit(PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX);
    query.finish()?;
    let rows = access.audit(&tenant, limit).await?;
    Ok(Json(Audit { audit: rows.iter().map(Line::of).collect() }).into_response())
}
