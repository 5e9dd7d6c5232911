//! Acts on one job and on many, as the document has it.

use serde_json::json;

use crate::openapi::examples as example;
use crate::openapi::operation::{Operation, Tag};
use crate::openapi::parameters::{job_id, operation_id};

const ACT: [&str; 4] = ["not_found", "illegal_transition", "invalid_request", "store_full"];

pub fn cancel() -> Operation {
    Operation::new(Tag::Acts, "cancel_job", "Cancel a job")
        .takes([job_id()])
        .optional_body("Reason", json!({ "reason": "wrong customer" }))
        .answers(200, "It is cancelled.", "Job", example::cancelled())
        .answers(202, "It runs and was asked to stop.", "Job", example::asked_to_stop())
        .refuses(&ACT)
}

pub fn retry() -> Operation {
    Operation::new(Tag::Acts, "retry_job", "Run a dead, cancelled or expired job again")
        .takes([job_id()])
        .optional_body("Retry", json!({ "payload": { "url": "https://example.com/hook", "data": 3 } }))
        .answers(202, "It is queued again.", "Job", example::queued())
        .refuses(&ACT)
        .refuses(&["invalid_payload"])
}

pub fn reprioritize() -> Operation {
    Operation::new(Tag::Acts, "reprioritize_job", "Let a waiting or queued job wait in another class")
        .takes([job_id()])
        .body("Reprioritize", json!({ "priority": "high", "reason": "the customer waits" }))
        .answers(200, "The job.", "Job", example::queued())
        .refuses(&ACT)
}

pub fn reschedule() -> Operation {
    Operation::new(Tag::Acts, "reschedule_job", "Let a queued job, or one that waits for a time, wait for another time")
        .takes([job_id()])
        .body("Reschedule", json!({ "delay": "2h", "reason": "the other side is closed" }))
        .answers(200, "The job.", "Job", example::waiting())
        .refuses(&ACT)
}

pub fn run_now() -> Operation {
    Operation::new(Tag::Acts, "run_job_now", "Queue a job that waits for a time")
        .takes([job_id()])
        .optional_body("Reason", json!({ "reason": "it is urgent" }))
        .answers(200, "The job.", "Job", example::queued())
        .refuses(&ACT)
}

pub fn bulk() -> Operation {
    let body = json!({ "action": "retry", "filter": { "state": "dead", "kind": "webhooks.deliver" }, "reason": "the receiver is back" });
    Operation::new(Tag::Acts, "bulk_jobs", "Act on all jobs that a filter names")
        .about("Begins an operation that goes on by itself, on the jobs that are there now. The filter must name something.")
        .body("Bulk", body)
        .answers(202, "The operation.", "Operation", example::operation())
        .with_headers(&["Location"])
        .refuses(&["invalid_request", "store_full"])
}

pub fn operations() -> Operation {
    Operation::new(Tag::Acts, "list_operations", "The latest operations")
        .about("At most 200; those that are over are kept for 30 days.")
        .answers(200, "Newest first.", "Operations", json!({ "operations": [example::operation()] }))
}

pub fn operation() -> Operation {
    Operation::new(Tag::Acts, "get_operation", "One operation and how far it has come")
        .takes([operation_id()])
        .answers(200, "The operation.", "Operation", example::operation())
        .refuses(&["not_found"])
}
