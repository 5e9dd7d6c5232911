//! Keys, webhook endpoints and the audit log, as the document has it.

use serde_json::json;

use crate::audit::WORD_CHARS_MAX;
use crate::openapi::examples as example;
use crate::openapi::operation::{Answer, Operation, Tag};
use crate::openapi::parameters::{endpoint, key_id, limit, query, tenant};
use crate::openapi::shape::plain;

pub fn list() -> Operation {
    Operation::new(Tag::Keys, "list_api_keys", "The tenant's API keys")
        .takes([tenant()])
        .answers(200, "Newest first, without their secrets.", "ApiKeys", json!({ "api_keys": [example::api_key()] }))
        .refuses(&["invalid_query"])
}

pub fn create() -> Operation {
    Operation::new(Tag::Keys, "create_api_key", "Make an API key")
        .body("NewApiKey", json!({ "name": "ci", "scopes": ["submit", "read"] }))
        .answers(201, "The key, shown this once.", "CreatedApiKey", example::new_api_key())
        .refuses(&["invalid_request", "store_full"])
}

pub fn revoke() -> Operation {
    Operation::new(Tag::Keys, "revoke_api_key", "Revoke an API key")
        .about("Twice is no error. Refused at once by the process that revoked it, and within 3 s elsewhere.")
        .takes([key_id(), tenant()])
        .with_answer(Answer { status: 204, about: "It is revoked.", headers: &[], content: None })
        .refuses(&["not_found", "invalid_query", "store_full"])
}

pub fn whoami() -> Operation {
    Operation::new(Tag::Keys, "whoami", "Whose key is this?").answers(
        200,
        "Its tenant, name and scopes.",
        "Whoami",
        json!({ "tenant": "default", "key": "ci", "scopes": ["submit", "read"] }),
    )
}

pub fn audit() -> Operation {
    Operation::new(Tag::Keys, "list_audit", "Who did what, newest first")
        .takes([
            query("actor", "What this key did: its name.", plain(WORD_CHARS_MAX), "ops"),
            query("action", "This action.", plain(WORD_CHARS_MAX), "job.cancel"),
            query("target", "What was done to this: an id or a name.", plain(WORD_CHARS_MAX), example::JOB),
            query(
                "cursor",
                "Where to go on: the `cursor` of the page before.",
                json!({ "type": "string", "pattern": "^[0-9]{1,18}$" }),
                "4711",
            ),
            tenant(),
            limit(),
        ])
        .answers(200, "A page.", "AuditPage", example::audit())
        .refuses(&["invalid_query"])
}

pub fn endpoints() -> Operation {
    let all = json!({ "webhook_endpoints": [example::endpoint()] });
    Operation::new(Tag::Endpoints, "list_webhook_endpoints", "The tenant's webhook endpoints")
        .takes([tenant()])
        .answers(200, "By name, without their secrets.", "Endpoints", all)
        .refuses(&["invalid_query"])
}

pub fn create_endpoint() -> Operation {
    Operation::new(Tag::Endpoints, "create_webhook_endpoint", "Make a webhook endpoint")
        .body("NewEndpoint", json!({ "name": "orders", "url": "https://example.com/hook" }))
        .answers(200, "It was there already; its secret is not shown.", "Endpoint", example::endpoint())
        .answers(201, "The new endpoint and its secret.", "Endpoint", example::new_endpoint())
        .refuses(&["endpoint_exists", "invalid_request", "store_full"])
}

pub fn endpoint_secret() -> Operation {
    let secret = json!({ "name": "orders", "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD" });
    Operation::new(Tag::Endpoints, "get_webhook_endpoint_secret", "What signs for an endpoint")
        .takes([endpoint()])
        .answers(200, "The secret.", "EndpointSecret", secret)
        .refuses(&["not_found"])
}

pub fn enable_endpoint() -> Operation {
    Operation::new(Tag::Endpoints, "enable_webhook_endpoint", "Deliver to an endpoint again")
        .takes([endpoint()])
        .answers(200, "The endpoint.", "Endpoint", example::endpoint())
        .refuses(&["not_found", "store_full"])
}

pub fn disable_endpoint() -> Operation {
    Operation::new(Tag::Endpoints, "disable_webhook_endpoint", "Deliver no more to an endpoint")
        .about("Deliveries to it end `dead` with `endpoint_disabled`; enable it, then replay them.")
        .takes([endpoint()])
        .optional_body("Reason", json!({ "reason": "moving" }))
        .answers(200, "The endpoint.", "Endpoint", example::disabled_endpoint())
        .refuses(&["not_found", "invalid_request", "store_full"])
}
