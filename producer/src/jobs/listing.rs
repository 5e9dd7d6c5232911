//! `GET /v1/jobs`: jobs by filter, newest first, page by page.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::bounds::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use serde::Serialize;
use store::{PageRequest, Reports};

use crate::filter;
use crate::job_view::{JobView, Shape};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::query::Query;

#[derive(Serialize)]
struct Page<'a> {
    jobs: Vec<JobView<'a>>,
    /// Where to go on; `null`: that was all.
    cursor: Option<String>,
    /// The bounded scan stopped here before the page was full.
    #[serde(skip_serializing_if = "Option::is_none")]
    scanned_until: Option<domain::Timestamp>,
}

pub async fn list(State(reports): State<Arc<dyn Reports>>, principal: Principal, mut query: Query) -> Result<Response, Problem> {
    let tenant = query.take_tenant(&principal)?;
    let filter = filter::jobs(&mut query);
    let after = query.take("cursor", str::parse);
    let limit = query.take_limit(PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX);
    query.finish()?;
    let page = reports.jobs(&tenant, &PageRequest { filter, after, limit }).await?;
    let jobs = page.jobs.iter().map(|job| JobView::of(job, Shape::Brief)).collect();
    Ok(Json(Page { jobs, cursor: page.next.map(|next| next.to_string()), scanned_until: page.scanned_until }).into_response())
}
