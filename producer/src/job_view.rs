//! A job as the API shows it.

use std::sync::Arc;

use domain::bounds::RESULT_SHOWN_BYTES_MAX;
use domain::{Failure, Job, JobId, JobState, KindName, Priority, Progress, QueueName, TenantId, Timestamp, WaitingFor, WorkerId};
use domain::{NewJob, format_duration};
use serde::Serialize;
use serde_json::value::RawValue;

/// How much of a job is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Without payload and result.
    Brief,
    Full,
}

#[derive(Serialize)]
pub struct JobView<'a> {
    id: JobId,
    tenant: &'a TenantId,
    kind: &'a KindName,
    queue: &'a QueueName,
    priority: Priority,
    state: JobState,
    waiting_for: Option<WaitingFor>,
    run: u32,
    attempt: u16,
    max_attempts: u16,
    crashes: u16,
    cancel_requested: bool,
    created_at: Timestamp,
    run_at: Timestamp,
    expires_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    worker: Option<WorkerId>,
    progress: Option<&'a Progress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Option<&'a RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Option<&'a RawValue>>,
    error: Option<&'a Failure>,
    tags: &'a [String],
    group: Option<&'a str>,
    callback_url: Option<&'a str>,
    timeout: String,
    trace_id: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unique_conflict: bool,
}

impl<'a> JobView<'a> {
    pub fn of(job: &'a Job, shape: Shape) -> Self {
        let full = shape == Shape::Full;
        let result = job.result.as_ref().filter(|result| result.len() <= RESULT_SHOWN_BYTES_MAX);
        Self {
            id: job.id,
            tenant: &job.tenant,
            kind: &job.kind,
            queue: &job.queue,
            priority: job.priority,
            state: job.state,
            waiting_for: job.waiting_for,
            run: job.run,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            crashes: job.crashes,
            cancel_requested: job.cancel_requested,
            created_at: job.created_at,
            run_at: job.run_at,
            expires_at: job.start_before,
            started_at: job.started_at,
            finished_at: job.finished_at,
            worker: job.worker,
            progress: job.progress.as_ref(),
            payload: full.then(|| raw(&job.payload)),
            result: full.then(|| result.and_then(|text| raw(text))),
            error: job.error.as_ref(),
            tags: &job.tags,
            group: job.group.as_deref(),
            callback_url: job.callback_url.as_deref(),
            timeout: format_duration(job.timeout),
            trace_id: job.trace.trace_id(),
            unique_conflict: false,
        }
    }
}

/// The text as it is. What the store holds was JSON when it came in; were it damaged, it shows as `null`.
pub fn raw(text: &Arc<str>) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}

/// The state a submission starts in.
pub fn first_state(run_at: Option<Timestamp>, now: Timestamp) -> (JobState, Option<WaitingFor>) {
    match run_at {
        Some(at) if at > now => (JobState::Waiting, Some(WaitingFor::Time)),
        Some(_) | None => (JobState::Queued, None),
    }
}

/// The job that a submission has just become, known without asking the store.
pub fn accepted(new: &NewJob, now: Timestamp) -> Job {
    let (state, waiting_for) = first_state(new.run_at, now);
    Job {
        id: new.id,
        tenant: new.tenant.clone(),
        kind: new.kind.clone(),
        queue: new.queue.clone(),
        priority: new.priority,
        state,
        waiting_for,
        run: 0,
        attempt: 0,
        max_attempts: new.max_attempts,
        crashes: 0,
        cancel_requested: false,
        timeout: new.timeout,
        created_at: now,
        run_at: new.run_at.unwrap_or(now),
        start_before: new.start_before,
        started_at: None,
        finished_at: None,
        worker: None,
        progress: None,
        payload: Arc::clone(&new.payload),
        result: None,
        error: None,
        tags: new.tags.clone(),
        group: new.group.clone(),
        callback_url: new.callback_url.clone(),
        trace: new.trace,
    }
}
