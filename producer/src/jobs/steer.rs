//! `POST /v1/jobs/{id}/reprioritize`, `/reschedule` and `/run_now`: what people may do to a job that has not started.

use axum::extract::{Request, State};
use axum::response::Response;
use domain::bounds::{REASON_CHARS_MAX, SMALL_REQUEST_BYTES_MAX};
use domain::{Act, JobId};
use http::StatusCode;

use super::action::{answer, form_of};
use super::due::due;
use crate::body;
use crate::desk::{Desk, Wish};
use crate::form::{Form, plain};
use crate::path::Named;
use crate::principal::Principal;
use crate::problem::Problem;

pub async fn reprioritize(
    State(desk): State<Desk>,
    principal: Principal,
    Named(id): Named<JobId>,
    request: Request,
) -> Result<Response, Problem> {
    let body = body::json(request, SMALL_REQUEST_BYTES_MAX).await?;
    let mut form = form_of(&body)?;
    let act = form.required_text("priority", str::parse).map(|priority| Act::Reprioritize { priority });
    steer(&desk, &principal, id, (form, act)).await
}

pub async fn reschedule(
    State(desk): State<Desk>,
    principal: Principal,
    Named(id): Named<JobId>,
    request: Request,
) -> Result<Response, Problem> {
    let body = body::json(request, SMALL_REQUEST_BYTES_MAX).await?;
    let mut form = form_of(&body)?;
    let act = due(&mut form, desk.now()).map(|run_at| Act::Reschedule { run_at });
    steer(&desk, &principal, id, (form, act)).await
}

pub async fn run_now(
    State(desk): State<Desk>,
    principal: Principal,
    Named(id): Named<JobId>,
    request: Request,
) -> Result<Response, Problem> {
    let body = body::optional_json(request, SMALL_REQUEST_BYTES_MAX).await?;
    match body.as_ref().map(form_of).transpose()? {
        Some(form) => steer(&desk, &principal, id, (form, Some(Act::RunNow))).await,
        None => done(&desk, &principal, id, Wish::plain(Act::RunNow, None)).await,
    }
}

/// Reads what all bodies have in common, and acts if nothing is wrong.
async fn steer(desk: &Desk, principal: &Principal, id: JobId, (mut form, act): (Form, Option<Act>)) -> Result<Response, Problem> {
    let reason = form.text("reason", plain(REASON_CHARS_MAX));
    let act = form.close_with(act)?;
    done(desk, principal, id, Wish::plain(act, reason)).await
}

async fn done(desk: &Desk, principal: &Principal, id: JobId, wish: Wish) -> Result<Response, Problem> {
    let replay = desk.act(principal.actor(), id, wish).await?;
    Ok(answer(StatusCode::OK, &replay.job))
}
