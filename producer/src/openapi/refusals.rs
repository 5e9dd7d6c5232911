//! Which refusals are there? Every code with its status: operations name codes, the document shows both.

/// Code, status, and what it means in a few words.
pub const REFUSALS: [(&str, u16, &str); 30] = [
    ("invalid_json", 400, "the body is no JSON"),
    ("broken_body", 400, "the connection broke inside the body"),
    ("unauthorized", 401, "no key, or not a valid one"),
    ("forbidden", 403, "the key lacks the scope, or may not name another tenant"),
    ("not_found", 404, "not there, or another tenant's"),
    ("method_not_allowed", 405, "the path takes other methods"),
    ("request_timeout", 408, "the body did not arrive in time"),
    ("illegal_transition", 409, "the job's state does not allow it"),
    ("job_dead", 409, "the job failed and has no result"),
    ("job_cancelled", 409, "the job was cancelled and has no result"),
    ("job_expired", 409, "the job expired and has no result"),
    ("job_gone", 409, "the key's job is no longer kept"),
    ("endpoint_exists", 409, "the endpoint exists with another URL"),
    ("gone", 410, "past retention"),
    ("payload_too_large", 413, "the payload or the request is too large"),
    ("unsupported_media_type", 415, "the body is of another type, or encoded"),
    ("invalid_payload", 422, "the payload does not fit its kind"),
    ("unknown_kind", 422, "no worker registered the kind"),
    ("unknown_queue", 422, "the queue is not declared"),
    ("invalid_job", 422, "something else about the job is wrong, or several things are"),
    ("invalid_query", 422, "a parameter is unknown, doubled or wrong"),
    ("invalid_request", 422, "the body does not say what is needed"),
    ("invalid_idempotency_key", 422, "not 1 to 200 visible ASCII characters, or sent twice"),
    ("idempotency_key_reused", 422, "used for another request in the last 24 hours"),
    ("rate_limited", 429, "too many requests under this key"),
    ("internal", 500, "a defect of ours; the log has it"),
    ("busy", 503, "too many of these at once; nothing was written"),
    ("overloaded", 503, "too many requests at once; nothing was written"),
    ("store_unavailable", 503, "the store is away or too busy"),
    ("store_full", 503, "the store has no space; nothing was written"),
];

/// What can happen to every request whose body is read.
pub const OF_BODIES: [&str; 5] = ["invalid_json", "broken_body", "request_timeout", "payload_too_large", "unsupported_media_type"];
/// What can happen to every request under a key.
pub const OF_KEYS: [&str; 3] = ["unauthorized", "rate_limited", "invalid_query"];
/// What can happen to every request that asks the store.
pub const OF_THE_STORE: [&str; 3] = ["internal", "overloaded", "store_unavailable"];

/// The status a code comes with.
///
/// # Panics
/// For a code that is not in the table: operations name literals.
pub fn status_of(code: &str) -> u16 {
    let row = REFUSALS.iter().find(|(known, ..)| *known == code);
    row.map(|(_, status, _)| *status).expect("an operation names codes of the table")
}

/// What a code means.
pub fn meaning_of(code: &str) -> &'static str {
    REFUSALS.iter().find(|(known, ..)| *known == code).map_or("", |(.., meaning)| meaning)
}
