//! Submitting jobs and looking at them, as the document has it.

use serde_json::json;

use crate::openapi::examples as example;
use crate::openapi::operation::{Answer, Content, Operation, Tag};
use crate::openapi::parameters::{cursor, idempotency_key, job_filter, job_id, last_event_id, limit, tenant};
use crate::openapi::shape::string;

const WRONG_JOB: [&str; 7] =
    ["invalid_job", "invalid_payload", "unknown_kind", "unknown_queue", "invalid_idempotency_key", "idempotency_key_reused", "store_full"];

pub fn submit() -> Operation {
    Operation::new(Tag::Jobs, "submit_job", "Submit a job")
        .about("The job is durable when the answer comes. Repeat with the same `Idempotency-Key` whenever it is not clear whether it was taken.")
        .takes([idempotency_key()])
        .body("JobSubmission", example::submission())
        .answers(202, "The job: the new one, or the one that the same key named before.", "Job", example::queued())
        .with_headers(&["Location", "Idempotency-Replayed"])
        .refuses(&WRONG_JOB)
        .refuses(&["job_gone"])
}

pub fn submit_batch() -> Operation {
    let lines = Content {
        media_type: "application/x-ndjson",
        schema: string(),
        example: json!(format!("{}\n{}\n", example::submission(), example::submission())),
    };
    Operation::new(Tag::Jobs, "submit_batch", "Submit up to 10 000 jobs, all or none")
        .about("Also one submission per line, as NDJSON. Pointers of faults begin with `/jobs/<i>`.")
        .takes([idempotency_key()])
        .body("Batch", example::batch())
        .with_body(true, lines)
        .answers(202, "What became of each, in their order.", "BatchAnswer", example::batch_answer())
        .with_headers(&["Idempotency-Replayed"])
        .refuses(&WRONG_JOB)
        .refuses(&["busy"])
}

pub fn list() -> Operation {
    Operation::new(Tag::Jobs, "list_jobs", "List jobs, newest first")
        .about("Without payloads and results. A filter that few jobs match may return a short page with `scanned_until`: go on with the cursor.")
        .takes(job_filter())
        .takes([tenant(), cursor(), limit()])
        .answers(200, "A page.", "JobPage", example::job_page())
        .refuses(&["invalid_query"])
}

pub fn job() -> Operation {
    Operation::new(Tag::Jobs, "get_job", "One job")
        .takes([job_id()])
        .answers(200, "The whole job.", "Job", example::succeeded())
        .refuses(&["not_found"])
}

pub fn result() -> Operation {
    let result = Content { media_type: "application/json", schema: json!({}), example: json!({ "status": 204 }) };
    Operation::new(Tag::Jobs, "get_job_result", "A job's result")
        .takes([job_id()])
        .with_answer(Answer { status: 200, about: "As the handler left it; `null` if it left none.", headers: &[], content: Some(result) })
        .answers(202, "There is none yet.", "NoResultYet", json!({ "id": example::JOB, "state": "running" }))
        .with_headers(&["Retry-After"])
        .refuses(&["not_found", "job_dead", "job_cancelled", "job_expired", "gone"])
}

pub fn timeline() -> Operation {
    Operation::new(Tag::Jobs, "get_job_timeline", "Every transition of a job")
        .takes([job_id()])
        .answers(200, "Oldest first.", "Timeline", example::timeline())
        .refuses(&["not_found"])
}

pub fn logs() -> Operation {
    Operation::new(Tag::Jobs, "get_job_logs", "What a job's attempts wrote")
        .takes([job_id()])
        .answers(200, "One entry for each run that wrote something.", "Logs", example::logs())
        .refuses(&["not_found"])
}

pub fn events() -> Operation {
    let stream = Content { media_type: "text/event-stream", schema: json!({}), example: example::events() };
    Operation::new(Tag::Jobs, "job_events", "Follow a job live")
        .about(
            "Server-sent events: `state` (data: the job without payload and result), `progress` (`{percent, message?}`), `output` \
             (`{text}`), `log` (`{level, message}`), and `gap` (some events are gone). Ids are `<run>-<seq>`; `Last-Event-ID` goes on \
             behind one. A comment comes every 15 s. The stream ends after the job's last `state`, after 5 minutes, and when the process \
             stops; then connect again.",
        )
        .takes([job_id()])
        .takes(last_event_id())
        .with_answer(Answer { status: 200, about: "The stream.", headers: &[], content: Some(stream) })
        .refuses(&["not_found", "invalid_query", "busy"])
}
