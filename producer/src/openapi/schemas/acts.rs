//! The shapes of acts on jobs, of operations, and of dead letters.

use domain::OperationState;
use domain::bounds::{CANARIES_MAX, OPERATION_IDS_MAX};
use serde_json::{Map, Value, json};

use super::Named;
use crate::dead_letters::WORD_CHARS_MAX;
use crate::openapi::operation::Parameter;
use crate::openapi::parameters::{dead_filter, job_filter};
use crate::openapi::shape::{
    about, answer, both, constant, count, dotted_name, duration, id, list, listing, name, nullable, number, one_of, plain, reason,
    reference, request, some_of, string, time,
};

pub fn schemas() -> Vec<Named> {
    vec![
        ("Reason", request("Why.", json!({ "reason": nullable(reason()) }), &[])),
        ("Retry", retry()),
        (
            "Reprioritize",
            request("The class to wait in.", json!({ "priority": reference("Priority"), "reason": nullable(reason()) }), &["priority"]),
        ),
        ("Reschedule", reschedule()),
        ("JobFilter", job_filter_shape()),
        ("DeadFilter", dead_filter_shape()),
        ("Bulk", one_shape("An act on all jobs that a filter names.", &["BulkPlain", "BulkReprioritize", "BulkReschedule"])),
        ("BulkPlain", bulk(one_of(&["cancel", "retry", "run_now"]), json!({}), &[])),
        ("BulkReprioritize", bulk(constant("reprioritize"), json!({ "priority": reference("Priority") }), &["priority"])),
        ("BulkReschedule", bulk_reschedule()),
        ("Replay", one_shape("Dead jobs to be run again.", &["ReplayIds", "ReplayFilter"])),
        ("ReplayIds", replay("ids", ids(), "filter")),
        ("ReplayFilter", replay("filter", reference("DeadFilter"), "ids")),
        ("Operation", operation()),
        ("Operations", listing("Operations, newest first.", "operations", "Operation")),
        ("DeadLetter", dead_letter()),
        ("DeadLetterPage", dead_letters()),
        ("DeadGroup", dead_group()),
        ("DeadGroups", listing("Groups, the one with the latest death first.", "groups", "DeadGroup")),
    ]
}

fn one_shape(sentence: &str, names: &[&str]) -> Value {
    let shapes: Vec<Value> = names.iter().map(|name| reference(name)).collect();
    json!({ "description": sentence, "oneOf": shapes })
}

fn retry() -> Value {
    let members = json!({
        "payload": { "description": "Instead of the old one; checked like a new one." },
    });
    request("How to run it again.", members, &[])
}

fn reschedule() -> Value {
    let mut schema = request("When it is due: exactly one of `run_at` and `delay`.", due(json!({ "reason": nullable(reason()) })), &[]);
    schema["not"] = no_one_time();
    schema
}

/// With both ways to say when.
fn due(mut members: Value) -> Value {
    members["run_at"] = about(nullable(time()), "At most 400 days ahead; a time that has passed means now.");
    members["delay"] = about(nullable(duration()), "The same as a time from now on.");
    members
}

/// Both times, or none.
fn no_one_time() -> Value {
    json!({ "anyOf": [both("run_at", "delay"), some_of(&["run_at", "delay"])] })
}

fn bulk(action: Value, more: Value, needed: &[&str]) -> Value {
    let mut members = json!({ "action": action, "filter": reference("JobFilter"), "reason": reason() });
    if let (Some(members), Value::Object(more)) = (members.as_object_mut(), more) {
        members.extend(more);
    }
    request(
        "An act on all jobs that the filter names and that are there now.",
        members,
        &[&["action", "filter", "reason"], needed].concat(),
    )
}

fn bulk_reschedule() -> Value {
    let mut schema = bulk(constant("reschedule"), due(json!({})), &[]);
    schema["not"] = no_one_time();
    schema
}

fn job_filter_shape() -> Value {
    filter("Which jobs: at least one of the members. They mean what the list's parameters mean.", &job_filter())
}

fn dead_filter_shape() -> Value {
    filter("Which dead letters: at least one of the members. They mean what the list's parameters mean.", &dead_filter())
}

/// An object of a list's parameters, not all of them `null`.
fn filter(sentence: &str, parameters: &[Parameter]) -> Value {
    let member = |parameter: &Parameter| (parameter.name.to_owned(), nullable(about(parameter.schema.clone(), parameter.about)));
    let members: Map<String, Value> = parameters.iter().map(member).collect();
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
    let mut schema = request(sentence, members.into(), &[]);
    schema["not"] = some_of(&names);
    schema
}

fn ids() -> Value {
    json!({ "type": "array", "minItems": 1, "maxItems": OPERATION_IDS_MAX, "items": id() })
}

fn replay(by: &str, schema: Value, not_by: &str) -> Value {
    let canary = about(nullable(number(1, u64::from(CANARIES_MAX))), "So many go ahead; the rest follows when all of them have succeeded.");
    let members = json!({ by: schema, not_by: { "type": "null" }, "canary": canary, "reason": reason() });
    request("Dead jobs to be run again.", members, &[by, "reason"])
}

fn operation() -> Value {
    let members = json!({
        "id": id(),
        "action": one_of(&["cancel", "retry", "reprioritize", "reschedule", "run_now"]),
        "priority": reference("Priority"),
        "run_at": time(),
        "filter": about(json!({ "type": "object" }), "Which jobs: as it was given."),
        "ids": list(id()),
        "dead_letters": about(json!({ "type": "object" }), "Which dead letters: as it was given."),
        "reason": string(),
        "actor": string(),
        "state": one_of(&OperationState::ALL.map(OperationState::as_str)),
        "canary": count(),
        "looked_at": about(count(), "Jobs that it came across: those that were done and those that were skipped."),
        "done": about(count(), "Jobs to which it happened."),
        "skipped": about(count(), "Jobs that did not allow it, or were as asked for already."),
        "error": about(string(), "Why it was halted."),
        "created_at": time(),
        "updated_at": time(),
        "finished_at": nullable(time()),
    });
    answer(
        "An act on many jobs and how far it has come.",
        members,
        &["priority", "run_at", "filter", "ids", "dead_letters", "canary", "error"],
    )
}

fn dead_letter() -> Value {
    let members = json!({
        "job_id": id(), "queue": name(), "kind": dotted_name(), "fingerprint": plain(WORD_CHARS_MAX), "reason": string(),
        "message": string(), "hint": string(), "attempts": count(), "at": time(),
    });
    answer("A dead job, as far as its death is concerned.", members, &["hint"])
}

fn dead_letters() -> Value {
    let cursor = about(nullable(id()), "Where to go on; `null`: that was all. A page may be short all the same.");
    answer("Dead letters, newest job first.", json!({ "dead_letters": list(reference("DeadLetter")), "cursor": cursor }), &[])
}

fn dead_group() -> Value {
    let members = json!({
        "fingerprint": string(), "queue": name(), "kind": dotted_name(), "reason": string(), "message": string(), "count": count(),
        "first_at": time(), "last_at": time(), "sample": about(id(), "The job that died last."),
    });
    answer("Deaths of one queue that look alike.", members, &[])
}
