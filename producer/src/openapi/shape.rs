//! How are JSON Schemas written here? A few words for the shapes that come again and again.

use domain::bounds::{NAME_CHARS_MAX, REASON_CHARS_MAX, TAG_CHARS_MAX, URL_CHARS_MAX};
use serde_json::{Map, Value, json};

/// What [`crate::form::plain`] takes: no control characters.
const PLAIN: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
/// What [`domain::parse_duration`] takes, without the sums that are too large to be meant.
const DURATION: &str = r"^([0-9]{1,9}(ms|s|m|h|d)){1,5}$";
const NAME: &str = r"^[a-z][a-z0-9_-]*$";
const DOTTED_NAME: &str = r"^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*$";

/// A named schema of the document.
pub fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An answer's object: every member is there, but for the `optional` ones. Members that come with later versions are allowed.
pub fn answer(about: &str, members: Value, optional: &[&str]) -> Value {
    let required: Vec<&str> = names(&members).filter(|name| !optional.contains(name)).collect();
    json!({ "type": "object", "description": about, "required": required, "properties": members })
}

/// A request's object: what is `required` must be there, and nothing else than its members may be.
pub fn request(about: &str, members: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "description": about, "required": required, "properties": members, "additionalProperties": false })
}

fn names(members: &Value) -> impl Iterator<Item = &str> {
    members.as_object().into_iter().flat_map(Map::keys).map(String::as_str)
}

/// An object with one list under a name.
pub fn listing(about: &str, name: &str, of: &str) -> Value {
    answer(about, json!({ name: list(reference(of)) }), &[])
}

pub fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// The same, or `null`.
pub fn nullable(mut schema: Value) -> Value {
    match schema.get_mut("type") {
        Some(Value::String(one)) => {
            let both = json!([one.as_str(), "null"]);
            if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                values.push(Value::Null);
            }
            schema["type"] = both;
            schema
        }
        Some(_) | None => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

/// With a sentence about this use of it.
pub fn about(mut schema: Value, sentence: &str) -> Value {
    schema["description"] = json!(sentence);
    schema
}

pub fn string() -> Value {
    json!({ "type": "string" })
}

pub fn boolean() -> Value {
    json!({ "type": "boolean" })
}

pub fn one_of(values: &[&str]) -> Value {
    json!({ "type": "string", "enum": values })
}

pub fn constant(value: &str) -> Value {
    json!({ "type": "string", "const": value })
}

/// A number that counts something: an answer's.
pub fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

pub fn number(least: u64, most: u64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

/// A number of things per minute, or another mean.
pub fn mean() -> Value {
    json!({ "type": "number", "minimum": 0 })
}

pub fn id() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

pub fn time() -> Value {
    json!({ "type": "string", "format": "date-time", "description": "RFC 3339, UTC." })
}

pub fn duration() -> Value {
    json!({ "type": "string", "pattern": DURATION, "description": "Such as `250ms`, `90s`, `5m`, `2h`, `1d` or `1h30m`." })
}

/// Text of 1 to so many characters, without control characters.
pub fn plain(chars_max: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": chars_max, "pattern": PLAIN })
}

pub fn reason() -> Value {
    about(plain(REASON_CHARS_MAX), "Why; goes into the audit log and the job's timeline.")
}

pub fn tag() -> Value {
    plain(TAG_CHARS_MAX)
}

/// A queue's, a tenant's or an endpoint's name.
pub fn name() -> Value {
    json!({ "type": "string", "maxLength": NAME_CHARS_MAX, "pattern": NAME })
}

/// A kind's name.
pub fn dotted_name() -> Value {
    json!({ "type": "string", "maxLength": NAME_CHARS_MAX, "pattern": DOTTED_NAME })
}

pub fn url() -> Value {
    json!({ "type": "string", "format": "uri", "maxLength": URL_CHARS_MAX, "pattern": "^https?://", "description": "http or https, without a user name." })
}

/// Not all of these members are absent or `null`.
pub fn some_of(members: &[&str]) -> Value {
    let none: Map<String, Value> = members.iter().map(|name| ((*name).to_owned(), json!({ "type": "null" }))).collect();
    json!({ "properties": none })
}

/// Both of these members are given, and as strings.
pub fn both(first: &str, second: &str) -> Value {
    json!({ "required": [first, second], "properties": { first: { "type": "string" }, second: { "type": "string" } } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonschema::Validator;

    fn compiled(schema: &Value) -> Validator {
        jsonschema::options().should_validate_formats(true).build(schema).expect("a schema")
    }

    /// The document may not take what the readers refuse, nor refuse what they take.
    #[test]
    fn the_words_agree_with_the_readers() {
        type Reads = fn(&str) -> bool;
        let rows: [(Value, Reads); 5] = [
            (duration(), |text| domain::parse_duration(text).is_ok()),
            (name(), |text| text.parse::<domain::QueueName>().is_ok()),
            (dotted_name(), |text| text.parse::<domain::KindName>().is_ok()),
            (plain(5), |text| crate::form::plain(5)(text).is_ok()),
            (id(), |text| text.parse::<domain::JobId>().is_ok()),
        ];
        let long = "a".repeat(65);
        let texts = [
            "",
            "a",
            "a.b",
            "a..b",
            "a.",
            ".a",
            "a-b_9",
            "9a",
            "A",
            "é",
            "a b",
            "a\u{7f}",
            "a\u{85}b",
            "5",
            "5m",
            "1h30m",
            "-5s",
            "5 s",
            "0s",
            "five!!",
            "0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f",
            "0192f0c17b1e7cc398c4dc0c0c07398f",
            long.as_str(),
        ];
        for (schema, reads) in rows {
            let validator = compiled(&schema);
            for text in texts {
                assert_eq!(validator.is_valid(&json!(text)), reads(text), "{schema} {text:?}");
            }
        }
    }

    #[test]
    fn nullable_takes_null_and_nothing_else_more() {
        let schema = nullable(one_of(&["a"]));
        let validator = compiled(&schema);
        assert!(validator.is_valid(&Value::Null) && validator.is_valid(&json!("a")) && !validator.is_valid(&json!("b")));
        let nested = nullable(json!({ "anyOf": [{ "type": "string" }] }));
        assert!(compiled(&nested).is_valid(&Value::Null));
    }
}
