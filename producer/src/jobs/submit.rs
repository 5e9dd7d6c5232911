//! `POST /v1/jobs`: one job in. Parsed, looked up by its idempotency key, judged, recorded, announced - in this order.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::bounds::REQUEST_BYTES_MAX;
use domain::{Job, JobId, TenantId, TraceContext};
use http::header::LOCATION;
use http::{HeaderName, HeaderValue, StatusCode};
use store::{Acceptance, EnqueueError};

use super::detail::Shelf;
use crate::body;
use crate::desk::{Desk, Refused};
use crate::job_view::{JobView, Shape, accepted};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::submission::{Item, Terms, idempotency_key, judge, read_one};

pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Judging less than this takes no longer than handing it to another thread.
const SMALL_BYTES_MAX: usize = 64 * 1024;

pub async fn submit(
    State(desk): State<Desk>,
    State(shelf): State<Shelf>,
    principal: Principal,
    request: Request,
) -> Result<Response, Problem> {
    let key = idempotency_key(request.headers())?;
    let trace = trace_of(&request);
    let body = body::json(request, REQUEST_BYTES_MAX).await?;
    let (bytes, keyed) = (body.len(), key.is_some());
    let item = aside(bytes, move || read_one(&body, keyed)).await??;
    // A key whose job cannot be read says nothing: the store decides whether it can be taken over.
    if let Some(id) = earlier(&desk, &principal.tenant, key.as_ref(), &item).await?
        && let Some(job) = shelf.find(&principal.tenant, id).await?
    {
        return Ok(answer(&job, Acceptance::Replayed));
    }
    let terms = terms(&desk, &principal.tenant, trace, std::slice::from_ref(&item)).await?;
    let jobs = aside(bytes, move || judge(vec![(item, key)], &terms)).await??;
    let submitted = jobs.clone();
    let (taken, at) = desk.enqueue(jobs).await.map_err(|refused| match refused {
        Refused::Enqueue(EnqueueError::KeyReused { .. }) => Problem::idempotency_key_reused(None),
        Refused::Enqueue(error) => error.into(),
        Refused::Problem(problem) => problem,
    })?;
    match (taken.first(), submitted.first()) {
        (Some(taken), Some(new)) if taken.how == Acceptance::New => Ok(answer(&accepted(new, at), taken.how)),
        (Some(taken), _) => match shelf.find(&principal.tenant, taken.job).await? {
            Some(job) => Ok(answer(&job, taken.how)),
            None => Err(Problem::job_gone()),
        },
        (None, _) => Err(Problem::internal(&std::io::Error::other("the store answered for no job"))),
    }
}

/// The job that the same request made before; an error when the key was used for another request.
async fn earlier(desk: &Desk, tenant: &TenantId, key: Option<&String>, item: &Item) -> Result<Option<JobId>, Problem> {
    let Some(key) = key else { return Ok(None) };
    match desk.remembered(tenant, std::slice::from_ref(key)).await?.into_iter().next().flatten() {
        Some(before) if Some(before.request_hash) == item.hash => Ok(Some(before.job)),
        Some(_) => Err(Problem::idempotency_key_reused(None)),
        None => Ok(None),
    }
}

/// What submissions are judged by; kinds and queues that they name are looked for once more before they count as unknown.
pub async fn terms(desk: &Desk, tenant: &TenantId, trace: TraceContext, items: &[Item]) -> Result<Terms, Problem> {
    let kinds: Vec<String> = items.iter().filter_map(|item| item.form.peek("kind")).collect();
    let queues: Vec<String> = items.iter().filter_map(|item| item.form.peek("queue")).collect();
    let known = desk
        .catalog
        .covering(|known| kinds.iter().all(|kind| known.kind(kind).is_some()) && queues.iter().all(|queue| known.queue(queue).is_some()));
    Ok(Terms { tenant: tenant.clone(), now: desk.now(), trace, known: known.await?, mint: desk.mint.clone() })
}

pub fn trace_of(request: &Request) -> TraceContext {
    let trace = request.extensions().get::<TraceContext>().copied();
    trace.unwrap_or_else(|| TraceContext::from_random(Default::default()))
}

/// Does work that grows with a request's bytes where it holds up nobody.
pub async fn aside<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    if bytes <= SMALL_BYTES_MAX {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))
}

fn answer(job: &Job, how: Acceptance) -> Response {
    let mut view = JobView::of(job, Shape::Brief);
    view.unique_conflict = how == Acceptance::UniqueConflict;
    let mut response = (StatusCode::ACCEPTED, Json(view)).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/jobs/{}", job.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    if how == Acceptance::Replayed {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
