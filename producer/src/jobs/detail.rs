//! `GET /v1/jobs/{id}` and what belongs to one job: its result, its timeline, its logs.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use coordination::{Feed, FeedEvent, FeedId};
use domain::bounds::FEED_EVENTS_MAX;
use domain::{Job, JobId, JobState, Progress, TenantId, Timestamp, WaitingFor};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use store::{Reports, TimelineEntry};

use crate::job_view::{JobView, Shape};
use crate::path::Named;
use crate::principal::Principal;
use crate::problem::Problem;

/// How long the job's page may wait for the live feed; the store's own progress is at most one renewal old.
const FEED_WITHIN: Duration = Duration::from_millis(100);

/// Where jobs are looked up.
#[derive(Clone)]
pub struct Shelf {
    pub reports: Arc<dyn Reports>,
    pub feed: Arc<dyn Feed>,
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub retention_shortest: Duration,
}

impl Shelf {
    pub async fn read(&self, tenant: &TenantId, id: JobId) -> Result<Job, Problem> {
        self.find(tenant, id).await?.ok_or_else(|| Problem::not_found("job"))
    }

    pub async fn find(&self, tenant: &TenantId, id: JobId) -> Result<Option<Job>, Problem> {
        Ok(self.reports.job(tenant, id).await?)
    }

    /// The job, or what its absence means: an id can be old enough to have been a job's whose retention is over.
    async fn read_or_gone(&self, tenant: &TenantId, id: JobId) -> Result<Job, Problem> {
        let is_old = || id.minted_at().is_some_and(|at| (self.clock)().since(at) > self.retention_shortest);
        match self.find(tenant, id).await? {
            Some(job) => Ok(job),
            None if is_old() => Err(Problem::gone()),
            None => Err(Problem::not_found("job")),
        }
    }

    /// The latest progress of the present run in the live feed.
    async fn live_progress(&self, job: &Job) -> Option<Progress> {
        let run = FeedId { run: job.run, seq: 0 };
        let reading = self.feed.read(job.id, Some(run), FEED_EVENTS_MAX);
        let page = tokio::time::timeout(FEED_WITHIN, reading).await.ok()?.ok()?;
        page.entries.into_iter().rev().filter(|entry| entry.id.run == job.run).find_map(|entry| match entry.event {
            FeedEvent::Progress(progress) => Some(progress),
            FeedEvent::Output { .. } | FeedEvent::Log { .. } | FeedEvent::Ended => None,
        })
    }
}

pub async fn job(State(shelf): State<Shelf>, principal: Principal, Named(id): Named<JobId>) -> Result<Response, Problem> {
    let mut job = shelf.read(&principal.tenant, id).await?;
    if job.state == JobState::Running
        && let Some(progress) = shelf.live_progress(&job).await
    {
        job.progress = Some(progress);
    }
    Ok(Json(JobView::of(&job, Shape::Full)).into_response())
}

pub async fn result(State(shelf): State<Shelf>, principal: Principal, Named(id): Named<JobId>) -> Result<Response, Problem> {
    let job = shelf.read_or_gone(&principal.tenant, id).await?;
    match job.state {
        JobState::Succeeded => {
            let text = job.result.as_deref().unwrap_or("null").to_owned();
            Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
        }
        JobState::Waiting | JobState::Queued | JobState::Running => {
            let mut response = (StatusCode::ACCEPTED, Json(json!({ "id": id, "state": job.state }))).into_response();
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            Ok(response)
        }
        JobState::Dead | JobState::Cancelled | JobState::Expired => Err(Problem::no_result(job.state, job.error.as_ref())),
    }
}

#[derive(Serialize)]
struct Timeline<'a> {
    timeline: Vec<Step<'a>>,
}

#[derive(Serialize)]
struct Step<'a> {
    at: Timestamp,
    run: u32,
    from: Option<JobState>,
    to: JobState,
    waiting_for: Option<WaitingFor>,
    actor: &'a str,
    data: Option<&'a RawValue>,
}

impl<'a> Step<'a> {
    fn of(entry: &'a TimelineEntry) -> Self {
        let TimelineEntry { at, run, from, to, waiting_for, actor, data } = entry;
        let data = data.as_deref().and_then(|text| serde_json::from_str(text).ok());
        Self { at: *at, run: *run, from: *from, to: *to, waiting_for: *waiting_for, actor, data }
    }
}

pub async fn timeline(State(shelf): State<Shelf>, principal: Principal, Named(id): Named<JobId>) -> Result<Response, Problem> {
    let entries = shelf.reports.timeline(&principal.tenant, id).await?;
    if entries.is_empty() {
        return Err(Problem::not_found("job"));
    }
    Ok(Json(Timeline { timeline: entries.iter().map(Step::of).collect() }).into_response())
}

pub async fn logs(State(shelf): State<Shelf>, principal: Principal, Named(id): Named<JobId>) -> Result<Response, Problem> {
    let logs = shelf.reports.logs(&principal.tenant, id).await?;
    if logs.is_empty() {
        shelf.read(&principal.tenant, id).await?;
    }
    let attempts = logs.into_iter().map(|attempt| {
        let line = |line: store::LogLine| json!({ "at": line.at, "level": line.level, "message": line.message });
        json!({ "run": attempt.run, "lines": attempt.lines.into_iter().map(line).collect::<Vec<_>>(), "output": attempt.output })
    });
    Ok(Json(json!({ "logs": attempts.collect::<Vec<_>>() })).into_response())
}
