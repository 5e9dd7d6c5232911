//! `GET /openapi.json`: what does the whole API look like to a program? Made from the table of routes, as OpenAPI 3.1.

pub mod about;
mod examples;
mod operation;
mod page;
mod parameters;
mod refusals;
mod schemas;
mod shape;

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

pub use operation::Operation;
pub use page::show;

use crate::routes::described;
use operation::{PROBLEM, Tag};

const ABOUT: &str = "Jobs in over HTTP, done by a fleet of workers. JSON in and out, times in RFC 3339 UTC, durations such as `90s`, \
                     ids are UUIDs. Every answer has an `x-request-id`. Unknown members and parameters are refused. `null` for an optional \
                     member means that it is left out. A path that takes other methods answers `405` with `Allow`.";

/// The same bytes for every request: nothing in it changes while the process lives.
static TEXT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(document().to_string()));

pub async fn text() -> Response {
    ([(CONTENT_TYPE, "application/json")], TEXT.clone()).into_response()
}

/// The document as a value.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for (route, operation) in described() {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation.render(&route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Flotilla",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A queue-centric fleet of distributed workers.",
            "description": ABOUT,
            "license": { "name": "Apache 2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": Tag::ALL.map(|tag| json!({ "name": tag.words().0, "description": tag.words().1 })),
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "headers": headers(),
            "responses": { "Problem": problem() },
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "An API key, `flt_…`; `flotilla keys create` makes one." },
            },
        },
    })
}

fn headers() -> Value {
    let header = |about: &str, schema: Value| json!({ "description": about, "schema": schema });
    let whole = || json!({ "type": "integer", "minimum": 0 });
    json!({
        "Location": header("Where it can be looked at.", shape::string()),
        "Idempotency-Replayed": header("`true`: the same request came before, and this is its answer.", shape::constant("true")),
        "Retry-After": header("Seconds to wait.", whole()),
        "WWW-Authenticate": header("How to say who you are.", shape::string()),
        "RateLimit-Limit": header("Requests that the key may make at once.", whole()),
        "RateLimit-Remaining": header("Those of them that are left.", whole()),
        "RateLimit-Reset": header("Seconds until all of them are there again.", whole()),
    })
}

fn problem() -> Value {
    let content = json!({ "schema": shape::reference("Problem"), "example": examples::problem() });
    json!({ "description": "Any refusal.", "content": { PROBLEM: content } })
}

#[cfg(test)]
mod tests;
