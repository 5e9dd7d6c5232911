//! The shapes of a job and of what belongs to it.

use domain::bounds::TAGS_MAX;
use serde_json::{Value, json};

use super::Named;
use crate::openapi::parameters::{priorities, states};
use crate::openapi::shape::{
    about, answer, boolean, count, dotted_name, duration, id, list, listing, name, nullable, number, one_of, reference, string, time,
};

const WAITING_FOR: [&str; 11] =
    ["time", "retry", "fair_share", "rate_limit", "breaker", "concurrency", "paused", "no_worker", "budget", "dependencies", "signal"];
const FAILURE_CLASSES: [&str; 7] = ["transient", "rate_limited", "permanent", "credentials_expired", "cancelled", "timeout", "panicked"];

pub fn schemas() -> Vec<Named> {
    vec![
        ("JobState", about(states(), "Where a job stands.")),
        ("WaitingFor", about(one_of(&WAITING_FOR), "What a waiting job waits for.")),
        ("Priority", about(priorities(), "Of five classes; each gets about twice the share of the next.")),
        ("Progress", progress()),
        ("Failure", failure()),
        ("Job", job()),
        ("JobPage", page()),
        ("NoResultYet", answer("The job has not ended.", json!({ "id": id(), "state": reference("JobState") }), &[])),
        ("TimelineStep", step()),
        ("Timeline", listing("Every recorded transition, oldest first.", "timeline", "TimelineStep")),
        ("LogLine", answer("A captured log line.", json!({ "at": time(), "level": string(), "message": string() }), &[])),
        ("AttemptLog", attempt_log()),
        ("Logs", listing("What each run wrote, oldest first.", "logs", "AttemptLog")),
    ]
}

fn progress() -> Value {
    answer("How far a running job has come.", json!({ "percent": number(0, 100), "message": string() }), &["message"])
}

fn failure() -> Value {
    let members = json!({
        "class": one_of(&FAILURE_CLASSES),
        "code": { "type": "string", "description": "Stable: programs match on it." },
        "message": string(),
        "hint": { "type": "string", "description": "What to do about it." },
        "until": about(time(), "When the other side can be asked again (class `rate_limited`)."),
        "not_before": about(time(), "The earliest next attempt that the other side asked for."),
    });
    answer("Why the last attempt failed.", members, &["hint", "until", "not_before"])
}

fn job() -> Value {
    let members = json!({
        "id": id(),
        "tenant": name(),
        "kind": dotted_name(),
        "queue": name(),
        "priority": reference("Priority"),
        "state": reference("JobState"),
        "waiting_for": nullable(reference("WaitingFor")),
        "run": about(count(), "How often it was claimed."),
        "attempt": about(count(), "Attempts that counted."),
        "max_attempts": about(count(), "So many may."),
        "crashes": about(count(), "Workers that died with it."),
        "cancel_requested": boolean(),
        "created_at": time(),
        "run_at": about(time(), "When it is or was due."),
        "expires_at": nullable(time()),
        "started_at": nullable(time()),
        "finished_at": nullable(time()),
        "worker": nullable(id()),
        "progress": nullable(reference("Progress")),
        "payload": { "description": "As it was submitted. Not in listings, events and answers to submissions." },
        "result": { "description": "As the handler left it; `null` above 64 KiB. Where `payload` is." },
        "error": nullable(reference("Failure")),
        "tags": { "type": "array", "maxItems": TAGS_MAX, "items": string() },
        "group": nullable(string()),
        "callback_url": nullable(string()),
        "timeout": duration(),
        "trace_id": { "type": "string", "pattern": "^[0-9a-f]{32}$" },
        "unique_conflict": about(boolean(), "The first job under a unique key, instead of a new one."),
    });
    answer("A job.", members, &["payload", "result", "unique_conflict"])
}

fn page() -> Value {
    let members = json!({
        "jobs": list(reference("Job")),
        "cursor": about(nullable(id()), "Where to go on; `null`: that was all."),
        "scanned_until": about(time(), "The page is short: everything newer was looked at."),
    });
    answer("Jobs, newest first.", members, &["scanned_until"])
}

fn step() -> Value {
    let members = json!({
        "at": time(),
        "run": count(),
        "from": nullable(reference("JobState")),
        "to": reference("JobState"),
        "waiting_for": nullable(reference("WaitingFor")),
        "actor": about(string(), "`intake`, `worker:<id>`, `duty:<name>` or `key:<name>`."),
        "data": { "description": "Details: a failure, a reason, an operation." },
    });
    answer("One step of a job's life.", members, &[])
}

fn attempt_log() -> Value {
    let members = json!({ "run": count(), "lines": list(reference("LogLine")), "output": nullable(string()) });
    answer("What one run wrote.", members, &[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Failure, FailureClass, Timestamp, WaitingFor};

    #[test]
    fn the_words_are_those_of_the_domain() {
        for reason in WaitingFor::ALL {
            assert!(WAITING_FOR.contains(&reason.to_string().as_str()), "{reason}");
        }
        assert_eq!(WAITING_FOR.len(), WaitingFor::ALL.len());
        let until = Timestamp::from_micros(0);
        for class in [FailureClass::RateLimited { until }, FailureClass::CredentialsExpired, FailureClass::Panicked] {
            let written = serde_json::to_value(Failure::new(class, "x", "y")).expect("serializes");
            assert!(FAILURE_CLASSES.contains(&written["class"].as_str().expect("a word")), "{written}");
        }
    }
}
