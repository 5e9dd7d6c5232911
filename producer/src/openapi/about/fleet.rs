//! Kinds, queues, workers and figures, as the document has it.

use serde_json::json;

use crate::openapi::examples as example;
use crate::openapi::operation::{Operation, Tag};
use crate::openapi::parameters::{kind as kind_name, queue as queue_name, window};

pub fn kinds() -> Operation {
    Operation::new(Tag::Fleet, "list_kinds", "What can be run").answers(
        200,
        "Every kind that any worker ever registered.",
        "Kinds",
        json!({ "kinds": [example::kind()] }),
    )
}

pub fn kind() -> Operation {
    Operation::new(Tag::Fleet, "get_kind", "One kind and the JSON Schema of its payload")
        .takes([kind_name()])
        .answers(200, "The kind.", "Kind", example::kind())
        .refuses(&["not_found"])
}

pub fn queues() -> Operation {
    Operation::new(Tag::Fleet, "list_queues", "How much waits, and how quickly it gets done").answers(
        200,
        "Queues by name, of all tenants.",
        "Queues",
        json!({ "queues": [example::queue()] }),
    )
}

pub fn queue() -> Operation {
    Operation::new(Tag::Fleet, "get_queue", "One queue")
        .takes([queue_name()])
        .answers(200, "The queue.", "Queue", example::queue())
        .refuses(&["not_found"])
}

pub fn workers() -> Operation {
    Operation::new(Tag::Fleet, "list_workers", "Worker processes and what they run").answers(
        200,
        "Those that live, and the dead of the last 24 h.",
        "Workers",
        json!({ "workers": [example::worker()] }),
    )
}

pub fn stats() -> Operation {
    Operation::new(Tag::Fleet, "get_stats", "The fleet in figures")
        .about("Of all tenants. Counted by whole minutes: the first minute of the window is the one it began in.")
        .takes([window()])
        .answers(200, "The figures.", "Stats", example::stats())
        .refuses(&["invalid_query"])
}
