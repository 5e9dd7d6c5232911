//! Which shapes go in and out? Every named schema of the document.

mod acts;
mod fleet;
mod job;
mod keys;
mod submission;

use serde_json::{Map, Value, json};

use super::shape::{answer, list, number, reference, string};

/// Name and schema of all of them.
pub fn all() -> Map<String, Value> {
    let mut schemas = Map::new();
    let parts = [job::schemas(), submission::schemas(), acts::schemas(), fleet::schemas(), keys::schemas(), problem()];
    for (name, mut schema) in parts.into_iter().flatten() {
        schema["title"] = json!(name);
        let doubled = schemas.insert(name.to_owned(), schema);
        debug_assert!(doubled.is_none(), "`{name}` is there twice");
    }
    schemas
}

/// Name and schema.
type Named = (&'static str, Value);

fn problem() -> Vec<Named> {
    let fault = answer(
        "One thing that is wrong with the input.",
        json!({
            "pointer": { "type": "string", "description": "A JSON pointer into the body, or `?name` for a query parameter." },
            "message": string(),
        }),
        &[],
    );
    let members = json!({
        "type": { "type": "string", "description": "`urn:flotilla:problem:` and the code." },
        "title": string(),
        "status": number(400, 599),
        "detail": string(),
        "code": { "type": "string", "description": "Stable: programs match on it." },
        "hint": { "type": "string", "description": "What to do about it." },
        "state": { "$ref": "#/components/schemas/JobState", "description": "The state of the job that stands in the way." },
        "request_id": string(),
        "errors": list(reference("Fault")),
    });
    let problem = answer("A refusal, as RFC 9457 has it.", members, &["hint", "state", "errors"]);
    vec![("Fault", fault), ("Problem", problem)]
}
