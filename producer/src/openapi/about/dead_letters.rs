//! Dead letters, as the document has it.

use serde_json::json;

use crate::openapi::examples as example;
use crate::openapi::operation::{Operation, Tag};
use crate::openapi::parameters::{cursor, dead_filter, limit, tenant};

pub fn list() -> Operation {
    let page = json!({ "dead_letters": [example::dead_letter()], "cursor": null });
    Operation::new(Tag::DeadLetters, "list_dead_letters", "List dead letters, newest job first")
        .takes(dead_filter())
        .takes([tenant(), cursor(), limit()])
        .answers(200, "A page.", "DeadLetterPage", page)
        .refuses(&["invalid_query"])
}

pub fn groups() -> Operation {
    Operation::new(Tag::DeadLetters, "group_dead_letters", "Deaths that look alike, counted")
        .about("By queue and fingerprint, the group with the latest death first; at most 200.")
        .takes(dead_filter())
        .takes([tenant(), limit()])
        .answers(200, "The groups.", "DeadGroups", json!({ "groups": [example::dead_group()] }))
        .refuses(&["invalid_query"])
}

pub fn replay() -> Operation {
    let body = json!({ "filter": { "fingerprint": "webhooks.deliver/permanent/http_410" }, "canary": 5, "reason": "the receiver is back" });
    Operation::new(Tag::DeadLetters, "replay_dead_letters", "Run dead jobs again")
        .about("Begins an operation. With `canary`, so many go ahead, and the rest follows when all of them have succeeded; if one does not, it is halted.")
        .body("Replay", body)
        .answers(202, "The operation.", "Operation", example::replay_operation())
        .with_headers(&["Location"])
        .refuses(&["invalid_request", "store_full"])
}
