//! `POST /v1/jobs/{id}/cancel` and `/retry`: what people may do to a job.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::bounds::{JSON_DEPTH_MAX, REASON_CHARS_MAX, REQUEST_BYTES_MAX, SMALL_REQUEST_BYTES_MAX};
use domain::{Act, Job, JobId, JobState};
use http::StatusCode;

use super::detail::Shelf;
use crate::body;
use crate::desk::{Desk, Wish};
use crate::form::{Form, plain};
use crate::job_view::{JobView, Shape};
use crate::json_text::inspect;
use crate::path::Named;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::submission::fits;

/// 200 when it is cancelled, 202 when a running job was asked to stop.
pub async fn cancel(
    State(desk): State<Desk>,
    principal: Principal,
    Named(id): Named<JobId>,
    request: Request,
) -> Result<Response, Problem> {
    let body = body::optional_json(request, SMALL_REQUEST_BYTES_MAX).await?;
    let mut reason = None;
    if let Some(mut form) = body.as_ref().map(form_of).transpose()? {
        reason = form.text("reason", plain(REASON_CHARS_MAX));
        form.close()?;
    }
    let replay = desk.act(principal.actor(), id, Wish::plain(Act::Cancel, reason)).await?;
    let status = if replay.job.state.is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(answer(status, &replay.job))
}

/// An edited payload must fit the kind as a new one must.
pub async fn retry(
    State(desk): State<Desk>,
    State(shelf): State<Shelf>,
    principal: Principal,
    Named(id): Named<JobId>,
    request: Request,
) -> Result<Response, Problem> {
    let body = body::optional_json(request, REQUEST_BYTES_MAX).await?;
    let mut edited = None;
    if let Some(mut form) = body.as_ref().map(form_of).transpose()? {
        if let Some(payload) = form.given("payload") {
            let job = shelf.read(&principal.tenant, id).await?;
            if !JobState::REPLAYABLE.contains(&job.state) {
                return Err(Problem::illegal_transition(job.state, "retried"));
            }
            let known = desk.catalog.covering(|known| known.kinds.contains_key(&job.kind)).await?;
            let kind = known.kinds.get(&job.kind).map(Arc::as_ref);
            let faults = fits(payload.get(), kind, &form.pointer("payload"))?;
            form.faults(faults);
            edited = Some(Arc::from(payload.get()));
        }
        form.close()?;
    }
    let wish = Wish { act: Act::Retry, reason: None, payload: edited };
    let replay = desk.act(principal.actor(), id, wish).await?;
    Ok(answer(StatusCode::ACCEPTED, &replay.job))
}

pub(super) fn form_of(body: &Bytes) -> Result<Form, Problem> {
    let text = body::text(body)?;
    inspect(text, JSON_DEPTH_MAX + 1).map_err(|flaw| Problem::invalid_json(flaw.sentence()))?;
    Form::of(text, "", "invalid_request")
}

pub(super) fn answer(status: StatusCode, job: &Job) -> Response {
    (status, Json(JobView::of(job, Shape::Brief))).into_response()
}
