//! Holds every answer of every test to the OpenAPI document, and every request that was granted.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use http::{HeaderMap, Method, Uri};
use jsonschema::Validator;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::request::Answer;

/// The document, with objects closed that it leaves open for later versions: what is answered now, it must name.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = producer::document();
    let schemas = document["components"]["schemas"].as_object_mut().expect("schemas");
    schemas.values_mut().for_each(close);
    document
});

static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// What was asked.
pub struct Asked {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Asked {
    fn content_type(&self) -> &str {
        let value = self.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim()
    }
}

fn close(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    if members.contains_key("properties") {
        members.entry("additionalProperties").or_insert(json!(false));
    }
    for (name, inner) in members.iter_mut() {
        match name.as_str() {
            "properties" => inner.as_object_mut().into_iter().flatten().for_each(|(_, member)| close(member)),
            "items" => close(inner),
            "anyOf" | "oneOf" => inner.as_array_mut().into_iter().flatten().for_each(close),
            // What is inside of `not` is a condition, not a shape.
            _ => {}
        }
    }
}

/// The operation's place in the document: the path of its template, and its method.
fn operation(asked: &Asked) -> Option<(&'static str, &'static Value)> {
    let segments: Vec<&str> = asked.uri.path().split('/').collect();
    let fits = |template: &str| {
        let of_template: Vec<&str> = template.split('/').collect();
        let same = |(template, given): (&&str, &&str)| if template.starts_with('{') { !given.is_empty() } else { template == given };
        of_template.len() == segments.len() && of_template.iter().zip(&segments).all(same)
    };
    let paths: &'static Map<String, Value> = DOCUMENT["paths"].as_object().expect("paths");
    // A path in words wins against one with a variable.
    let (template, methods) = paths.iter().filter(|(template, _)| fits(template)).min_by_key(|(template, _)| template.contains('{'))?;
    let method = if asked.method == Method::HEAD { "get".to_owned() } else { asked.method.as_str().to_ascii_lowercase() };
    Some((template.as_str(), methods.get(&method)?))
}

/// The schema at a place of the document.
pub fn validator(schema: &Value) -> Arc<Validator> {
    let key = schema.to_string();
    let build = || {
        let whole = json!({ "allOf": [schema], "components": DOCUMENT["components"] });
        Arc::new(jsonschema::options().should_validate_formats(true).build(&whole).expect("a schema"))
    };
    Arc::clone(VALIDATORS.lock().entry(key).or_insert_with(build))
}

fn faults(schema: &Value, value: &Value) -> Vec<String> {
    validator(schema).iter_errors(value).map(|error| format!("{} at {}", error, error.instance_path())).collect()
}

pub fn check(asked: &Asked, answer: &Answer) {
    let place = format!("{} {} -> {}", asked.method, asked.uri.path(), answer.status.as_u16());
    // What a browser asks beforehand is answered for all paths alike.
    if asked.method == Method::OPTIONS {
        return;
    }
    let Some((template, operation)) = operation(asked) else {
        assert!([401, 404, 405].contains(&answer.status.as_u16()), "{place} is not in the document");
        return;
    };
    let Some(response) = operation["responses"].get(answer.status.as_str()) else {
        panic!("{place} ({template}) is not in the document: {}", answer.text());
    };
    check_body(&place, response, asked, answer);
    if answer.status.is_success() {
        check_request(&place, operation, asked);
    }
}

fn check_body(place: &str, response: &Value, asked: &Asked, answer: &Answer) {
    if asked.method == Method::HEAD || answer.headers.contains_key("content-encoding") {
        return;
    }
    let Some(contents) = response["content"].as_object() else {
        assert!(answer.body.is_empty(), "{place} has a body that the document does not name");
        return;
    };
    let content_type = answer.header("content-type").split(';').next().unwrap_or_default();
    let content = contents.get(content_type).unwrap_or_else(|| panic!("{place} is `{content_type}`, which the document does not name"));
    if content_type.ends_with("json") {
        let faults = faults(&content["schema"], &answer.json());
        assert!(faults.is_empty(), "{place} breaks the document: {faults:?} {}", answer.text());
    }
    if let Some(codes) = response["x-codes"].as_array() {
        assert!(codes.contains(&json!(answer.code())), "{place} is refused with `{}`, which is not among {codes:?}", answer.code());
    }
}

/// What was granted, the document may not forbid.
fn check_request(place: &str, operation: &Value, asked: &Asked) {
    let contents = &operation["requestBody"]["content"];
    if let (false, Some(content)) = (asked.body.is_empty(), contents.get(asked.content_type()))
        && asked.content_type() == "application/json"
    {
        let body: Value = serde_json::from_slice(&asked.body).expect("what was granted is JSON");
        let faults = faults(&content["schema"], &body);
        assert!(faults.is_empty(), "{place} was granted what the document forbids: {faults:?} {body}");
    }
    let declared = operation["parameters"].as_array().cloned().unwrap_or_default();
    for (name, value) in url::form_urlencoded::parse(asked.uri.query().unwrap_or_default().as_bytes()) {
        let Some(parameter) = declared.iter().find(|parameter| parameter["in"] == "query" && parameter["name"] == *name) else {
            // A route that takes no parameters does not read them.
            continue;
        };
        let is_number = parameter["schema"]["type"] == "integer";
        let value = if is_number { json!(value.parse::<i64>().expect("a number")) } else { json!(value) };
        let faults = faults(&parameter["schema"], &value);
        assert!(faults.is_empty(), "{place} was granted ?{name}={value}: {faults:?}");
    }
}
