//! `POST /v1/jobs/batch`: up to ten thousand jobs in, all or none; as one object, or a job per line.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::bounds::BATCH_BYTES_MAX;
use domain::{JobId, JobState, KindName, NewJob, Priority, QueueName, TenantId, Timestamp};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use store::{Acceptance, Accepted, EnqueueError};

use super::submit::{IDEMPOTENCY_REPLAYED, aside, terms, trace_of};
use crate::admission;
use crate::body;
use crate::desk::{Desk, Refused};
use crate::job_view::first_state;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::submission::{Item, idempotency_key, judge, read_batch};

/// One job of the answer. Of a job that was there before only its id is known without reading it.
#[derive(Serialize)]
struct Line {
    id: JobId,
    #[serde(flatten)]
    new: Option<New>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    idempotency_replayed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unique_conflict: bool,
}

#[derive(Serialize)]
struct New {
    kind: KindName,
    queue: QueueName,
    priority: Priority,
    state: JobState,
}

#[derive(Serialize)]
struct Lines {
    jobs: Vec<Line>,
}

/// What the answer needs to know of a job when it is recorded.
struct Sent {
    kind: KindName,
    queue: QueueName,
    priority: Priority,
    run_at: Option<Timestamp>,
}

/// An item's place in the request, its own idempotency key, and what it says.
struct Fresh {
    index: usize,
    item: Item,
    key: Option<String>,
}

pub async fn submit_batch(State(desk): State<Desk>, principal: Principal, request: Request) -> Result<Response, Problem> {
    let key = idempotency_key(request.headers())?;
    let trace = trace_of(&request);
    let mut place = desk.batch_room.place();
    let (body, format) = body::batch(&mut place, request, BATCH_BYTES_MAX).await?;
    place.take_turn().await?;
    admission::keep(place);
    let (bytes, keyed) = (body.len(), key.is_some());
    let items = aside(bytes, move || read_batch(&body, format, keyed)).await??;
    let mut lines: Vec<Option<Line>> = items.iter().map(|_| None).collect();
    let fresh = set_replayed(&desk, &principal.tenant, key, items, &mut lines).await?;
    if !fresh.is_empty() {
        let (places, items): (Vec<usize>, Vec<(Item, Option<String>)>) = fresh.into_iter().map(|f| (f.index, (f.item, f.key))).unzip();
        let (items, keys): (Vec<Item>, Vec<Option<String>>) = items.into_iter().unzip();
        let terms = terms(&desk, &principal.tenant, trace, &items).await?;
        let jobs = aside(bytes, move || judge(items.into_iter().zip(keys).collect(), &terms)).await??;
        let sent: Vec<Sent> = jobs.iter().map(Sent::of).collect();
        let (taken, at) = desk.enqueue(jobs).await.map_err(|refused| placed(refused, &places))?;
        for ((index, sent), accepted) in places.into_iter().zip(sent).zip(taken) {
            lines[index] = Some(Line::of(accepted, Some(sent.taken_at(at))));
        }
    }
    Ok(answer(lines.into_iter().flatten().collect()))
}

/// Answers the items that the same request made before, and returns the others.
async fn set_replayed(
    desk: &Desk,
    tenant: &TenantId,
    key: Option<String>,
    items: Vec<Item>,
    lines: &mut [Option<Line>],
) -> Result<Vec<Fresh>, Problem> {
    let Some(key) = key else {
        return Ok(items.into_iter().enumerate().map(|(index, item)| Fresh { index, item, key: None }).collect());
    };
    let keys: Vec<String> = (0..items.len()).map(|index| format!("{key}#{index}")).collect();
    let mut before = desk.remembered(tenant, &keys).await?.into_iter();
    let mut fresh = Vec::new();
    for (index, (item, key)) in items.into_iter().zip(keys).enumerate() {
        match before.next().flatten() {
            Some(before) if Some(before.request_hash) == item.hash => {
                lines[index] = Some(Line::of(Accepted { job: before.job, how: Acceptance::Replayed }, None));
            }
            Some(_) => return Err(Problem::idempotency_key_reused(Some(index))),
            None => fresh.push(Fresh { index, item, key: Some(key) }),
        }
    }
    Ok(fresh)
}

/// The store counts the items it was given; the caller counts those of its request.
fn placed(refused: Refused, places: &[usize]) -> Problem {
    match refused {
        Refused::Enqueue(EnqueueError::KeyReused { index }) => {
            Problem::idempotency_key_reused(Some(places.get(index).copied().unwrap_or(index)))
        }
        Refused::Enqueue(error) => error.into(),
        Refused::Problem(problem) => problem,
    }
}

impl Sent {
    fn of(job: &NewJob) -> Self {
        Self { kind: job.kind.clone(), queue: job.queue.clone(), priority: job.priority, run_at: job.run_at }
    }

    /// Its state by the store's clock, which is the one that decides.
    fn taken_at(self, at: Timestamp) -> New {
        let (state, _) = first_state(self.run_at, at);
        New { kind: self.kind, queue: self.queue, priority: self.priority, state }
    }
}

impl Line {
    fn of(accepted: Accepted, new: Option<New>) -> Self {
        Self {
            id: accepted.job,
            new: new.filter(|_| accepted.how == Acceptance::New),
            idempotency_replayed: accepted.how == Acceptance::Replayed,
            unique_conflict: accepted.how == Acceptance::UniqueConflict,
        }
    }
}

fn answer(jobs: Vec<Line>) -> Response {
    let replayed = jobs.iter().all(|line| line.idempotency_replayed);
    let mut response = (StatusCode::ACCEPTED, Json(Lines { jobs })).into_response();
    if replayed {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
