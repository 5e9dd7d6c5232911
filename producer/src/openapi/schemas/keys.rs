//! The shapes of keys, webhook endpoints and the audit log.

use domain::bounds::NAME_CHARS_MAX;
use serde_json::{Value, json};

use super::Named;
use crate::openapi::shape::{about, answer, id, list, listing, name, nullable, one_of, plain, reference, request, string, time, url};

const SCOPES: [&str; 4] = ["submit", "read", "operate", "admin"];

pub fn schemas() -> Vec<Named> {
    vec![
        ("Whoami", answer("Whose key this is.", json!({ "tenant": name(), "key": string(), "scopes": scopes() }), &[])),
        ("NewApiKey", new_key()),
        ("ApiKey", answer("An API key, without its secret.", key(), &[])),
        ("CreatedApiKey", created_key()),
        ("ApiKeys", listing("The tenant's keys, newest first.", "api_keys", "ApiKey")),
        ("NewEndpoint", new_endpoint()),
        ("Endpoint", answer("A webhook endpoint; its secret is shown when it is made.", endpoint(), &["secret"])),
        ("Endpoints", listing("The tenant's endpoints by name.", "webhook_endpoints", "Endpoint")),
        ("EndpointSecret", answer("What signs for an endpoint.", json!({ "name": name(), "secret": string() }), &[])),
        ("AuditRow", audit_row()),
        ("AuditPage", audit_page()),
    ]
}

fn scopes() -> Value {
    json!({ "type": "array", "items": one_of(&SCOPES) })
}

fn new_key() -> Value {
    let mut wanted = scopes();
    wanted["minItems"] = json!(1);
    let members = json!({
        "name": plain(NAME_CHARS_MAX),
        "scopes": wanted,
        "tenant": about(nullable(name()), "Another tenant; it exists from its first key on."),
    });
    request("A key to be made.", members, &["name", "scopes"])
}

fn key() -> Value {
    json!({ "id": id(), "tenant": name(), "name": string(), "scopes": scopes(), "created_at": time(), "revoked_at": nullable(time()) })
}

fn created_key() -> Value {
    let mut members = key();
    members["key"] = about(string(), "The key itself; it is never shown again.");
    answer("A new API key.", members, &[])
}

fn new_endpoint() -> Value {
    let members = json!({ "name": name(), "url": about(nullable(url()), "Where to; each delivery names its own if it is left out.") });
    request("A receiver of webhooks.", members, &["name"])
}

fn endpoint() -> Value {
    json!({
        "name": name(), "url": nullable(string()), "created_at": time(), "disabled_at": nullable(time()),
        "disabled_reason": nullable(string()), "secret": string(),
    })
}

fn audit_row() -> Value {
    let members = json!({
        "at": time(), "actor": string(), "action": about(string(), "Such as `job.cancel`."), "target": string(), "request_id": string(),
        "data": { "description": "Details; never a secret." },
    });
    answer("What a person did.", members, &[])
}

fn audit_page() -> Value {
    let cursor = json!({ "type": ["string", "null"], "pattern": "^[0-9]{1,19}$", "description": "Where to go on; `null`: that was all. A page may be short all the same." });
    answer("The audit log, newest first.", json!({ "audit": list(reference("AuditRow")), "cursor": cursor }), &[])
}
