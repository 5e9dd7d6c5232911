//! What a `callback_url` is told when its job has ended.

use domain::{Failure, Job, JobId, JobState, KindName, QueueName, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;

/// A longer result is left out of the callback: the receiver reads it from the API.
const RESULT_BYTES_MAX: usize = 64 * 1024;

/// The payload of a `webhooks.deliver` job.
#[derive(Serialize)]
struct Delivery<'a> {
    url: &'a str,
    data: Event<'a>,
}

/// The body's outline as Standard Webhooks suggests it.
#[derive(Serialize)]
struct Event<'a> {
    r#type: &'static str,
    timestamp: Timestamp,
    data: Ended<'a>,
}

#[derive(Serialize)]
struct Ended<'a> {
    id: JobId,
    kind: &'a KindName,
    queue: &'a QueueName,
    state: JobState,
    attempt: u16,
    tags: &'a [String],
    error: Option<&'a Failure>,
    finished_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
}

/// The payload of the `webhooks.deliver` job that tells `job.callback_url` how the job ended. Never the job's payload.
///
/// For a job that has ended and has a callback URL; of any other, the text is a payload that cannot be delivered.
pub fn callback_payload(job: &Job) -> String {
    debug_assert!(job.state.is_terminal() && job.callback_url.is_some(), "only such a job has a callback to make");
    let finished_at = job.finished_at.unwrap_or(job.run_at);
    let ended = Ended {
        id: job.id,
        kind: &job.kind,
        queue: &job.queue,
        state: job.state,
        attempt: job.attempt,
        tags: &job.tags,
        error: job.error.as_ref(),
        finished_at,
        result: job.result.as_deref().and_then(small_json),
    };
    let event = Event { r#type: type_of(job.state), timestamp: finished_at, data: ended };
    let delivery = Delivery { url: job.callback_url.as_deref().unwrap_or_default(), data: event };
    // Structs of text, numbers and checked JSON: there is nothing in them that could fail to serialize.
    serde_json::to_string(&delivery).unwrap_or_default()
}

fn small_json(result: &str) -> Option<&RawValue> {
    serde_json::from_str(result).ok().filter(|_| result.len() <= RESULT_BYTES_MAX)
}

const fn type_of(state: JobState) -> &'static str {
    match state {
        JobState::Waiting => "job.waiting",
        JobState::Queued => "job.queued",
        JobState::Running => "job.running",
        JobState::Succeeded => "job.succeeded",
        JobState::Dead => "job.dead",
        JobState::Cancelled => "job.cancelled",
        JobState::Expired => "job.expired",
    }
}
