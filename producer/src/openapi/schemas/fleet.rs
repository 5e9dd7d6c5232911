//! The shapes of kinds, queues, workers, figures, and this process's health.

use serde_json::{Value, json};

use super::Named;
use crate::openapi::shape::{
    about, answer, boolean, constant, count, dotted_name, duration, id, list, listing, mean, name, nullable, one_of, reference, string,
    time,
};

pub fn schemas() -> Vec<Named> {
    vec![
        ("RetryPolicy", retry()),
        ("Kind", kind()),
        ("Kinds", listing("Every kind that any worker ever registered.", "kinds", "Kind")),
        ("Rates", rates()),
        ("QueueClass", answer("One priority of a queue.", class(), &[])),
        ("Queue", queue()),
        ("Queues", listing("Queues by name, of all tenants.", "queues", "Queue")),
        ("Worker", worker()),
        ("Workers", listing("Workers; dead ones for 24 h.", "workers", "Worker")),
        ("Figures", answer("What was got done in the window.", figures(), &[])),
        ("QueueFigures", answer("The same of one queue.", with(json!({ "queue": name() })), &[])),
        ("KindFigures", answer("The same of one kind.", with(json!({ "kind": dotted_name() })), &[])),
        ("MinuteFigures", minute()),
        ("WorkerFigures", answer("Workers that are alive, and their slots.", json!({ "live": count(), "slots": count() }), &[])),
        ("Stats", stats()),
        ("Live", answer("The process answers.", json!({ "status": constant("live") }), &[])),
        ("Dependency", dependency()),
        ("Ready", ready()),
    ]
}

fn retry() -> Value {
    let backoff = json!({
        "type": "object", "required": ["kind"],
        "properties": { "kind": one_of(&["exponential", "fixed"]), "base": duration(), "cap": duration(), "delay": duration() },
    });
    answer(
        "When a failed attempt is repeated.",
        json!({ "backoff": backoff, "stop_after": about(string(), "`attempts`, or a time.") }),
        &[],
    )
}

fn kind() -> Value {
    let members = json!({
        "name": dotted_name(),
        "queue": name(),
        "max_attempts": count(),
        "timeout": duration(),
        "retry": reference("RetryPolicy"),
        "effects": one_of(&["repeat_same_key", "verify", "hold"]),
        "schema": { "description": "The JSON Schema of its payload." },
    });
    answer("What can be run.", members, &[])
}

fn rates() -> Value {
    let members = json!({ "succeeded_per_minute": mean(), "retried_per_minute": mean(), "dead_per_minute": mean() });
    answer("The mean of the last 5 whole minutes.", members, &[])
}

fn class() -> Value {
    json!({
        "priority": reference("Priority"), "depth": about(count(), "Queued jobs."), "oldest_age": nullable(duration()),
        "rates": reference("Rates"),
    })
}

fn queue() -> Value {
    let members = json!({
        "name": name(), "depth": about(count(), "Queued jobs."), "oldest_age": nullable(duration()), "rates": reference("Rates"),
        "priorities": list(reference("QueueClass")),
    });
    answer("A queue, with its priorities from the most important one on.", members, &[])
}

fn worker() -> Value {
    let members = json!({
        "id": id(), "name": string(), "host": string(), "pid": count(), "slots": count(), "version": string(), "live": boolean(),
        "lease_until": time(), "running": count(),
    });
    answer("A worker process.", members, &[])
}

fn figures() -> Value {
    json!({
        "succeeded": count(), "retried": about(count(), "Attempts after which a retry was due."), "dead": count(),
        "mean_run": about(nullable(duration()), "Of those that succeeded."),
        "mean_wait": about(nullable(duration()), "Of those that succeeded, from when they were due."),
    })
}

fn with(mut by: Value) -> Value {
    if let (Some(members), Value::Object(figures)) = (by.as_object_mut(), figures()) {
        members.extend(figures);
    }
    by
}

fn minute() -> Value {
    let members = json!({ "minute": about(time(), "When it began."), "succeeded": count(), "retried": count(), "dead": count() });
    answer("One minute; the last one is not over.", members, &[])
}

fn stats() -> Value {
    let members = json!({
        "at": time(), "window": duration(), "workers": reference("WorkerFigures"), "running": count(), "queued": count(),
        "oldest_age": nullable(duration()), "totals": reference("Figures"), "queues": list(reference("QueueFigures")),
        "kinds": list(reference("KindFigures")), "minutes": list(reference("MinuteFigures")),
    });
    answer("The fleet's figures, of all tenants.", members, &[])
}

fn dependency() -> Value {
    let members = json!({
        "name": one_of(&["store", "broker"]), "state": one_of(&["ok", "unavailable"]), "required": boolean(), "error": nullable(string()),
    });
    answer("What this process needs.", members, &[])
}

fn ready() -> Value {
    let members = json!({ "status": one_of(&["ready", "stopping", "not_ready"]), "dependencies": list(reference("Dependency")) });
    answer("Whether jobs can be taken in.", members, &[])
}
