//! The shapes of what is submitted, and of what comes back for a batch.

use domain::bounds::{ATTEMPTS_MAX, BATCH_JOBS_MAX, KEY_CHARS_MAX, TAGS_MAX};
use serde_json::{Value, json};

use super::Named;
use crate::openapi::shape::{
    about, answer, boolean, both, dotted_name, duration, id, list, name, nullable, number, plain, reference, request, tag, time, url,
};

pub fn schemas() -> Vec<Named> {
    vec![("Unique", unique()), ("JobSubmission", submission()), ("Batch", batch()), ("BatchLine", line()), ("BatchAnswer", lines())]
}

fn unique() -> Value {
    let members = json!({
        "key": plain(KEY_CHARS_MAX),
        "for": about(nullable(duration()), "How long the window stays open; until the job ends if it is left out."),
    });
    request("While the window is open, further jobs under this key get the first one.", members, &["key"])
}

fn submission() -> Value {
    let members = json!({
        "kind": about(dotted_name(), "What to run; see `GET /v1/kinds`."),
        "payload": { "description": "Checked against the kind's JSON Schema; at most 1 MiB and 64 levels; kept byte for byte." },
        "queue": about(nullable(name()), "Where it waits; the kind's if it is left out."),
        "priority": about(nullable(reference("Priority")), "`normal` if it is left out."),
        "run_at": about(nullable(time()), "Not before; at most 400 days ahead. A time that has passed means now."),
        "delay": about(nullable(duration()), "The same as a time from now on; one of the two at most."),
        "expires_at": about(nullable(time()), "Give up if it has not started by then."),
        "max_attempts": about(nullable(number(1, u64::from(ATTEMPTS_MAX))), "The kind's if it is left out."),
        "timeout": about(nullable(duration()), "Of one attempt, 100ms to 24h; the kind's if it is left out."),
        "tags": { "type": ["array", "null"], "maxItems": TAGS_MAX, "items": tag() },
        "unique": nullable(reference("Unique")),
        "group": about(nullable(plain(KEY_CHARS_MAX)), "Kept and shown."),
        "callback_url": about(nullable(url()), "Told when the job has ended."),
    });
    let mut submission = request("A job to be done.", members, &["kind", "payload"]);
    submission["not"] = both("run_at", "delay");
    submission
}

fn batch() -> Value {
    let jobs = json!({ "type": "array", "minItems": 1, "maxItems": BATCH_JOBS_MAX, "items": reference("JobSubmission") });
    request("Jobs of which all are taken, or none; at most 32 MiB.", json!({ "jobs": jobs }), &["jobs"])
}

fn line() -> Value {
    let members = json!({
        "id": id(),
        "kind": dotted_name(),
        "queue": name(),
        "priority": reference("Priority"),
        "state": reference("JobState"),
        "idempotency_replayed": about(boolean(), "Of an earlier request under the same key: only its id is told."),
        "unique_conflict": about(boolean(), "The first job under its unique key: only its id is told."),
    });
    let optional = ["kind", "queue", "priority", "state", "idempotency_replayed", "unique_conflict"];
    answer("What became of one job of a batch.", members, &optional)
}

fn lines() -> Value {
    answer("One for each job, in their order.", json!({ "jobs": list(reference("BatchLine")) }), &[])
}
