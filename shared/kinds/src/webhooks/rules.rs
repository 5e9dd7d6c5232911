//! What a delivery's fields may hold, said twice from one source: as JSON Schema for intake, as code for the handler.

use std::collections::BTreeMap;

use domain::bounds::{NAME_CHARS_MAX, URL_CHARS_MAX};
use schemars::{Schema, SchemaGenerator, json_schema};

const HEADERS_MAX: usize = 16;
const HEADER_NAME_CHARS_MAX: usize = 64;
const HEADER_VALUE_CHARS_MAX: usize = 1_024;
const CONTENT_TYPE_CHARS_MAX: usize = 128;

/// Headers that are ours, or that frame the request: whoever sets those can change what the receiver reads.
/// `authorization` is not among them: receivers behind a gateway need it; it is never logged.
const RESERVED: [&str; 15] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];
const RESERVED_PREFIXES: [&str; 2] = ["webhook-", "proxy-"];

/// A scheme, an authority without userinfo, and no blanks anywhere. Backslashes would end the authority for some parsers only.
const URL_PATTERN: &str = r"^[hH][tT][tT][pP][sS]?://[^/?#@\\\s]+([/?#]\S*)?$";
const NAME_PATTERN: &str = "^[a-z][a-z0-9_-]*$";
/// RFC 9110, `token`.
const TOKEN: &str = "[A-Za-z0-9!#$%&'*+.^_`|~-]+";
/// Visible ASCII, blanks inside only.
const VALUE_PATTERN: &str = "^[!-~]([ -~]*[!-~])?$";

const URL_MESSAGE: &str = "must be an http or https URL without credentials or blanks";
const HEADER_NAME_MESSAGE: &str = "has a name that is no header's, is too long, or is set by Flotilla itself";
const HEADER_VALUE_MESSAGE: &str = "must be visible ASCII, with blanks inside only";

// === as schema ===

// `x-message` is what intake says instead of the pattern; `x-http-url` asks it for a URL that can be requested.

pub fn url_or_endpoint(schema: &mut Schema) {
    schema.insert("anyOf".to_owned(), serde_json::json!([{ "required": ["url"] }, { "required": ["endpoint"] }]));
}

pub fn url(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "format": "uri",
        "maxLength": URL_CHARS_MAX,
        "pattern": URL_PATTERN,
        "x-http-url": true,
        "x-message": URL_MESSAGE,
    })
}

pub fn endpoint(_: &mut SchemaGenerator) -> Schema {
    let message = "must be an endpoint's name: a-z, 0-9, `_` and `-`, starting with a letter";
    json_schema!({ "type": "string", "maxLength": NAME_CHARS_MAX, "pattern": NAME_PATTERN, "x-message": message })
}

pub fn data(_: &mut SchemaGenerator) -> Schema {
    json_schema!({})
}

pub fn headers(_: &mut SchemaGenerator) -> Schema {
    let name = format!("^{TOKEN}$");
    json_schema!({
        "type": "object",
        "maxProperties": HEADERS_MAX,
        "propertyNames": { "maxLength": HEADER_NAME_CHARS_MAX, "pattern": name, "not": { "pattern": reserved_pattern() }, "x-message": HEADER_NAME_MESSAGE },
        "additionalProperties": { "type": "string", "maxLength": HEADER_VALUE_CHARS_MAX, "pattern": VALUE_PATTERN, "x-message": HEADER_VALUE_MESSAGE },
    })
}

pub fn content_type(_: &mut SchemaGenerator) -> Schema {
    let pattern = format!("^{TOKEN}/{TOKEN}( *; *[!-~]([ -~]*[!-~])?)?$");
    json_schema!({ "type": "string", "maxLength": CONTENT_TYPE_CHARS_MAX, "pattern": pattern, "x-message": "must be a media type such as `application/json`" })
}

/// JSON Schema patterns have no "ignore case": each letter is spelt `[aA]`.
fn reserved_pattern() -> String {
    let either_case = |text: &str| text.chars().map(letter_of_either_case).collect::<String>();
    let whole = RESERVED.iter().map(|name| format!("{}$", either_case(name)));
    let prefixes = RESERVED_PREFIXES.iter().map(|prefix| either_case(prefix));
    format!("^({})", whole.chain(prefixes).collect::<Vec<_>>().join("|"))
}

fn letter_of_either_case(letter: char) -> String {
    if letter.is_ascii_lowercase() { format!("[{letter}{}]", letter.to_ascii_uppercase()) } else { letter.to_string() }
}

// === as code ===

/// The sentence says what is wrong, never a header's value.
pub fn check_headers(headers: &BTreeMap<String, String>) -> Result<(), String> {
    if headers.len() > HEADERS_MAX {
        return Err(format!("`headers` has {} entries, at most {HEADERS_MAX} are allowed", headers.len()));
    }
    let mut seen = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let lower = name.to_ascii_lowercase();
        if !is_token(name) || name.len() > HEADER_NAME_CHARS_MAX {
            return Err("`headers` has a name that is no header name".to_owned());
        }
        if RESERVED.contains(&lower.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) {
            return Err(format!("the header `{lower}` is set by Flotilla itself"));
        }
        if seen.contains(&lower) {
            return Err(format!("the header `{lower}` is there twice"));
        }
        if !is_value(value) || value.len() > HEADER_VALUE_CHARS_MAX {
            return Err(format!("the value of the header `{lower}` is empty, too long or not printable"));
        }
        seen.push(lower);
    }
    Ok(())
}

pub fn is_content_type(text: &str) -> bool {
    let (essence, parameters) = text.split_once(';').map_or((text, None), |(essence, rest)| (essence.trim_end_matches(' '), Some(rest)));
    let typed = essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
    typed && text.len() <= CONTENT_TYPE_CHARS_MAX && parameters.is_none_or(|rest| is_value(rest.trim_start_matches(' ')))
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+.^_`|~-".contains(&b))
}

fn is_value(text: &str) -> bool {
    let inside = text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    inside && !text.is_empty() && !text.starts_with(' ') && !text.ends_with(' ')
}
