//! `POST /v1/jobs/bulk` and `/v1/operations`: acts on many jobs, and how far they have come.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::bounds::{OPERATIONS_SHOWN_MAX, REASON_CHARS_MAX, SMALL_REQUEST_BYTES_MAX};
use domain::{Act, DeadFilter, JobFilter, JobId, NewOperation, Operation, OperationId, OperationState, Target, Timestamp};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use store::Steering;

use crate::body;
use crate::desk::Desk;
use crate::filter;
use crate::form::{Form, plain};
use crate::jobs::due;
use crate::path::Named;
use crate::principal::Principal;
use crate::problem::Problem;

#[derive(Serialize)]
pub struct OperationView<'a> {
    id: OperationId,
    #[serde(flatten)]
    act: Act,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<&'a JobFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<&'a [JobId]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letters: Option<&'a DeadFilter>,
    reason: &'a str,
    actor: &'a str,
    state: OperationState,
    #[serde(skip_serializing_if = "Option::is_none")]
    canary: Option<u32>,
    looked_at: u64,
    done: u64,
    skipped: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    created_at: Timestamp,
    updated_at: Timestamp,
    finished_at: Option<Timestamp>,
}

impl<'a> OperationView<'a> {
    fn of(operation: &'a Operation) -> Self {
        let (filter, ids, dead_letters) = match &operation.target {
            Target::Jobs(filter) => (Some(filter), None, None),
            Target::Ids(ids) => (None, Some(ids.as_slice()), None),
            Target::Dead(filter) => (None, None, Some(filter)),
        };
        Self {
            id: operation.id,
            act: operation.act,
            filter,
            ids,
            dead_letters,
            reason: &operation.reason,
            actor: &operation.actor,
            state: operation.state,
            canary: operation.canary,
            looked_at: operation.looked_at,
            done: operation.done,
            skipped: operation.skipped,
            error: operation.error.as_deref(),
            created_at: operation.created_at,
            updated_at: operation.updated_at,
            finished_at: operation.finished_at,
        }
    }
}

#[derive(Serialize)]
struct Operations<'a> {
    operations: Vec<OperationView<'a>>,
}

pub async fn bulk(State(desk): State<Desk>, principal: Principal, request: Request) -> Result<Response, Problem> {
    let body = body::json(request, SMALL_REQUEST_BYTES_MAX).await?;
    let mut form = Form::of(body::text(&body)?, "", "invalid_request")?;
    let act = act(&mut form, desk.now());
    let filter = filter::of_body(&mut form, "`\"created_before\"`", filter::jobs);
    if filter.is_none() && !form.has_said("filter") {
        form.fault("filter", "is required: an object with the names of the list's filters");
    }
    let reason = form.required_text("reason", plain(REASON_CHARS_MAX));
    let read = act.zip(filter).zip(reason);
    let ((act, filter), reason) = form.close_with(read)?;
    begun(&desk, &principal, Wanted { act, target: Target::Jobs(filter), reason, canary: None }).await
}

/// What to do, with what it needs and nothing else.
fn act(form: &mut Form, now: Timestamp) -> Option<Act> {
    let action = form.required_text("action", |text| match text {
        "cancel" | "retry" | "reprioritize" | "reschedule" | "run_now" => Ok(text.to_owned()),
        _ => Err("must be one of `cancel`, `retry`, `reprioritize`, `reschedule` and `run_now`"),
    })?;
    match action.as_str() {
        "cancel" => Some(Act::Cancel),
        "retry" => Some(Act::Retry),
        "run_now" => Some(Act::RunNow),
        "reprioritize" => form.required_text("priority", str::parse).map(|priority| Act::Reprioritize { priority }),
        _ => due(form, now).map(|run_at| Act::Reschedule { run_at }),
    }
}

/// An operation as a request asks for it.
pub struct Wanted {
    pub act: Act,
    pub target: Target,
    pub reason: String,
    pub canary: Option<u32>,
}

/// Begins it: `202` and where to look.
pub async fn begun(desk: &Desk, principal: &Principal, wanted: Wanted) -> Result<Response, Problem> {
    let Wanted { act, target, reason, canary } = wanted;
    let new = NewOperation { id: desk.mint.operation(desk.now()), act, target, reason, canary };
    let operation = desk.begin(principal.actor(), new).await?;
    let mut response = (StatusCode::ACCEPTED, Json(OperationView::of(&operation))).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/operations/{}", operation.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

pub async fn list(State(steering): State<Arc<dyn Steering>>, principal: Principal) -> Result<Response, Problem> {
    let operations = steering.operations(&principal.tenant, OPERATIONS_SHOWN_MAX).await?;
    Ok(Json(Operations { operations: operations.iter().map(OperationView::of).collect() }).into_response())
}

pub async fn operation(
    State(steering): State<Arc<dyn Steering>>,
    principal: Principal,
    Named(id): Named<OperationId>,
) -> Result<Response, Problem> {
    let operation = steering.operation(&principal.tenant, id).await?.ok_or_else(|| Problem::not_found("operation"))?;
    Ok(Json(OperationView::of(&operation)).into_response())
}
