//! Which parameters do operations share? Each with its schema and an example.

use domain::bounds::{KEY_CHARS_MAX, PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, SEARCH_CHARS_MAX};
use domain::{JobState, Priority};
use serde_json::{Value, json};

use super::examples::{AT, ID, JOB};
use super::operation::{Parameter, Place};
use super::shape::{about, dotted_name, duration, id, name, number, one_of, plain, tag, time};
use crate::dead_letters::WORD_CHARS_MAX;

pub fn query(name: &'static str, about: &'static str, schema: Value, example: impl Into<Value>) -> Parameter {
    Parameter { place: Place::Query, name, about, schema, example: example.into() }
}

fn path(name: &'static str, about: &'static str, schema: Value, example: &str) -> Parameter {
    Parameter { place: Place::Path, name, about, schema, example: json!(example) }
}

pub fn job_id() -> Parameter {
    path("id", "The job.", id(), JOB)
}

pub fn operation_id() -> Parameter {
    path("id", "The operation.", id(), ID)
}

pub fn key_id() -> Parameter {
    path("id", "The API key's id, not the key.", id(), ID)
}

pub fn kind() -> Parameter {
    path("kind", "The kind's name.", dotted_name(), "webhooks.deliver")
}

pub fn queue() -> Parameter {
    path("queue", "The queue's name.", name(), "webhooks")
}

pub fn endpoint() -> Parameter {
    path("name", "The endpoint's name.", name(), "orders")
}

pub fn tenant() -> Parameter {
    query("tenant", "Whose things to show instead of the key's own; needs the scope `admin`.", name(), "default")
}

/// Where a page of rows with ids goes on.
pub fn cursor() -> Parameter {
    query("cursor", "Where to go on: the `cursor` of the page before.", id(), JOB)
}

pub fn limit() -> Parameter {
    let most = u64::try_from(PAGE_ROWS_MAX).unwrap_or(u64::MAX);
    let mut schema = number(1, most);
    schema["default"] = json!(PAGE_ROWS_DEFAULT);
    query("limit", "Rows of a page at most.", schema, 20)
}

/// Those that choose jobs.
pub fn job_filter() -> Vec<Parameter> {
    vec![
        query("state", "Jobs in this state.", states(), "dead"),
        query("kind", "Jobs of this kind.", dotted_name(), "webhooks.deliver"),
        query("queue", "Jobs of this queue.", name(), "webhooks"),
        query("tag", "Jobs with this tag.", tag(), "nightly"),
        query("created_after", "Jobs accepted after this time.", time(), AT),
        query("created_before", "Jobs accepted before this time.", time(), AT),
        query(
            "q",
            "Jobs with this text in kind, queue, group, unique key, a tag, or the error's code or message; or whose id begins with it. Case does not matter.",
            search(),
            "invoice",
        ),
    ]
}

/// Those that choose dead letters.
pub fn dead_filter() -> Vec<Parameter> {
    vec![
        query("queue", "Of this queue.", name(), "webhooks"),
        query("kind", "Of this kind.", dotted_name(), "webhooks.deliver"),
        query("fingerprint", "Of this group of failures that are alike.", fingerprint(), "webhooks.deliver/permanent/http_410"),
        query("reason", "With this error code.", error_code(), "http_410"),
        query("dead_after", "Dead since after this time.", time(), AT),
        query("dead_before", "Dead since before this time.", time(), AT),
    ]
}

pub fn states() -> Value {
    one_of(&JobState::ALL.map(JobState::as_str))
}

pub fn priorities() -> Value {
    one_of(&Priority::ALL.map(Priority::as_str))
}

pub fn search() -> Value {
    plain(SEARCH_CHARS_MAX)
}

pub fn fingerprint() -> Value {
    plain(WORD_CHARS_MAX)
}

pub fn error_code() -> Value {
    plain(WORD_CHARS_MAX)
}

pub fn window() -> Parameter {
    query("window", "The figures of the last so long: 5m to 24h.", about(duration(), "`1h` when it is left out."), "1h")
}

pub fn idempotency_key() -> Parameter {
    let schema = json!({ "type": "string", "minLength": 1, "maxLength": KEY_CHARS_MAX, "pattern": "^[!-~]+$" });
    let about = "The same key and body within 24 h give the same answer and no second job. A batch's item i has `<key>#i`.";
    Parameter { place: Place::Header, name: "Idempotency-Key", about, schema, example: json!("order-8") }
}

/// An event's id, `<run>-<seq>`.
const EVENT_ID: &str = "^[0-9]{1,9}-[0-9]{1,18}$";
/// A header may also be empty: then there is none.
const EVENT_ID_OR_NONE: &str = "^([0-9]{1,9}-[0-9]{1,18})?$";

pub fn last_event_id() -> [Parameter; 2] {
    let header = "Where to go on: the id of the last event that arrived. Browsers send it by themselves.";
    let query_about = "The same for those who cannot set headers; the header wins.";
    let schema = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    [
        Parameter { place: Place::Header, name: "Last-Event-ID", about: header, schema: schema(EVENT_ID_OR_NONE), example: json!("1-7") },
        query("last_event_id", query_about, schema(EVENT_ID), "1-7"),
    ]
}
