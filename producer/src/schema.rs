//! Does a payload fit its kind's JSON Schema? Says what is wrong by the schema's words, never by the payload's values (I10).

use domain::bounds::{URL_CHARS_MAX, VIOLATIONS_MAX};
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{JsonType, Keyword, ValidationError, Validator};
use serde_json::Value;

use crate::problem::Violation;
use crate::submission::http_url;

/// Alternatives inside alternatives are followed this far.
const ALTERNATIVES_DEEP_MAX: usize = 4;
const NAMES_MAX: usize = 10;
const NAME_CHARS_MAX: usize = 64;
/// A longer value of a schema (a constant, a list of choices, a pattern) is not repeated.
const SCHEMA_VALUE_CHARS_MAX: usize = 200;

/// What a schema says instead of ours where a pattern, a format or a rule of its own is broken: a sentence about the value.
const MESSAGE: &str = "x-message";
/// `true`: the string must be a URL that can be requested.
const HTTP_URL: &str = "x-http-url";

/// A compiled schema, and its text for the messages in it.
pub struct Schema {
    validator: Validator,
    text: Value,
}

impl Schema {
    /// Compiles it. References to other documents are errors: nothing is fetched.
    pub fn compile(text: &str) -> Result<Self, String> {
        let text: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let options =
            jsonschema::options().with_keyword(HTTP_URL, |_, value, _| Ok(Box::new(HttpUrl { wanted: value == &Value::Bool(true) })));
        let validator = options.build(&text).map_err(|error| error.to_string())?;
        Ok(Self { validator, text })
    }

    /// What is wrong with the payload at `pointer`; nothing if it fits.
    pub fn violations(&self, payload: &Value, pointer: &str) -> Vec<Violation> {
        if self.validator.is_valid(payload) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for error in self.validator.iter_errors(payload) {
            self.describe(&error, pointer, 0, &mut found);
            if found.len() > VIOLATIONS_MAX {
                break;
            }
        }
        found
    }

    fn describe(&self, error: &ValidationError<'_>, base: &str, deep: usize, found: &mut Vec<Violation>) {
        if let Kind::AnyOf { context } | Kind::OneOfNotValid { context } = error.kind()
            && let Some(closest) = context.iter().filter(|branch| !branch.is_empty()).min_by_key(|branch| branch.len())
            && deep < ALTERNATIVES_DEEP_MAX
        {
            // The alternative that lacks least is what was probably meant.
            closest.iter().take(VIOLATIONS_MAX).for_each(|error| self.describe(error, base, deep + 1, found));
            return;
        }
        let at = cut_pointer(error.instance_path().as_str());
        let (at, message) = match self.own_message(error) {
            Some(message) => (at, message.to_owned()),
            None => sentence(error.kind(), at),
        };
        let violation = Violation::new("invalid_payload", format!("{base}{at}"), message);
        // A value that breaks two rules of one message hears it once.
        if !found.contains(&violation) {
            found.push(violation);
        }
    }

    /// The sentence that the schema has beside the broken rule, or inside it. Rules that speak for themselves need none.
    fn own_message(&self, error: &ValidationError<'_>) -> Option<&str> {
        let speechless = matches!(
            error.kind(),
            Kind::Pattern { .. } | Kind::Format { .. } | Kind::Not { .. } | Kind::PropertyNames { .. } | Kind::Custom { .. }
        );
        let rule = error.schema_path().as_str();
        let (beside, _) = rule.rsplit_once('/')?;
        let message =
            |node: &str| self.text.pointer(node)?.get(MESSAGE)?.as_str().filter(|text| text.chars().count() <= SCHEMA_VALUE_CHARS_MAX);
        if speechless { message(rule).or_else(|| message(beside)) } else { None }
    }
}

/// The keyword [`HTTP_URL`].
struct HttpUrl {
    wanted: bool,
}

impl<'i> Keyword<'i> for HttpUrl {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) { Ok(()) } else { Err(ValidationError::custom("is not a URL that can be requested")) }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        // Its length is judged by `maxLength`.
        let is_good = |text: &str| text.chars().count() > URL_CHARS_MAX || http_url(text).is_ok();
        !self.wanted || instance.as_str().is_none_or(is_good)
    }
}

/// Where it is wrong and how; a missing member is pointed to itself.
fn sentence(kind: &Kind, at: String) -> (String, String) {
    let message = match kind {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            return (format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), "is required".to_owned());
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            format!("has unknown members: {}", names(unexpected))
        }
        Kind::Type { kind: TypeKind::Single(one) } => format!("must be of type {}", type_name(*one)),
        Kind::Type { kind: TypeKind::Multiple(set) } => {
            format!("must be of type {}", set.iter().map(type_name).collect::<Vec<_>>().join(" or "))
        }
        Kind::Enum { options } => format!("must be one of {}", schema_value(options)),
        Kind::Constant { expected_value } => format!("must be {}", schema_value(expected_value)),
        Kind::Minimum { limit } => format!("must be at least {}", schema_value(limit)),
        Kind::Maximum { limit } => format!("must be at most {}", schema_value(limit)),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {}", schema_value(limit)),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {}", schema_value(limit)),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::MinProperties { limit } => format!("must have at least {limit} members"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} members"),
        Kind::Pattern { pattern } => format!("must match the pattern {}", schema_value(&Value::from(pattern.as_str()))),
        Kind::Format { format } => format!("must be in the format `{format}`"),
        Kind::UniqueItems => "must have no item twice".to_owned(),
        Kind::OneOfMultipleValid { .. } => "must fit one alternative of the schema, and fits several".to_owned(),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => "must fit one alternative of the schema".to_owned(),
        Kind::Custom { message, .. } => message.clone(),
        other => format!("breaks the schema's rule `{}`", other.keyword()),
    };
    (at, message)
}

/// Names of members are the caller's own words: few and short.
fn names(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_MAX).map(|name| format!("`{}`", name.chars().take(NAME_CHARS_MAX).collect::<String>()));
    shown.collect::<Vec<_>>().join(", ")
}

fn schema_value(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SCHEMA_VALUE_CHARS_MAX { text } else { "what the schema says".to_owned() }
}

/// A pointer goes through the caller's own member names, which may be long.
fn cut_pointer(pointer: &str) -> String {
    pointer.chars().take(256).collect()
}

fn type_name(json_type: JsonType) -> &'static str {
    match json_type {
        JsonType::Array => "array",
        JsonType::Boolean => "boolean",
        JsonType::Integer => "integer",
        JsonType::Null => "null",
        JsonType::Number => "number",
        JsonType::Object => "object",
        JsonType::String => "string",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(schema: &Value, payload: &Value) -> Vec<String> {
        let schema = Schema::compile(&schema.to_string()).expect("compiles");
        schema.violations(payload, "/payload").into_iter().map(|v| format!("{} {}", v.pointer, v.message)).collect()
    }

    #[test]
    fn wrong_payloads_are_described_by_the_schema() {
        let schema = json!({
            "type": "object",
            "required": ["url"],
            "additionalProperties": false,
            "properties": { "url": { "type": "string", "pattern": "^https://" }, "n": { "type": "integer", "maximum": 3 }, "m": { "enum": ["a", "b"] } }
        });
        let rows = [
            (json!({}), "/payload/url is required"),
            (json!({ "url": "ftp://secret" }), "/payload/url must match the pattern \"^https://\""),
            (json!({ "url": "https://a", "n": 4 }), "/payload/n must be at most 3"),
            (json!({ "url": "https://a", "n": "4" }), "/payload/n must be of type integer"),
            (json!({ "url": "https://a", "m": "secret" }), "/payload/m must be one of [\"a\",\"b\"]"),
            (json!({ "url": "https://a", "x": "secret" }), "/payload has unknown members: `x`"),
            (json!("secret"), "/payload must be of type object"),
        ];
        for (payload, expected) in rows {
            assert_eq!(said(&schema, &payload), vec![expected.to_owned()]);
        }
        assert!(said(&schema, &json!({ "url": "https://a" })).is_empty());
    }

    #[test]
    fn a_schema_may_speak_for_its_own_rules() {
        let schema = json!({
            "description": "never said",
            "properties": {
                "url": { "type": "string", "maxLength": 30, "pattern": "^https?://", "x-http-url": true, "x-message": "must be a good URL" },
                "map": { "propertyNames": { "pattern": "^x", "x-message": "has a bad name" } },
                "long": { "pattern": "^x", "x-message": "m".repeat(201) },
            }
        });
        let rows = [
            (json!({ "url": "secret" }), vec!["/payload/url must be a good URL"]),
            (json!({ "url": "https://[fe80::1%25eth0]/" }), vec!["/payload/url must be a good URL"]),
            (json!({ "url": 7 }), vec!["/payload/url must be of type string"]),
            (json!({ "url": format!("https://a/{}", "b".repeat(30)) }), vec!["/payload/url must have at most 30 characters"]),
            (json!({ "map": { "secret": 1 } }), vec!["/payload/map has a bad name"]),
            (json!({ "long": "secret" }), vec!["/payload/long must match the pattern \"^x\""]),
            (json!({ "url": "https://[::1]:8080/x" }), vec![]),
        ];
        for (payload, expected) in rows {
            assert_eq!(said(&schema, &payload), expected, "{payload}");
        }
    }

    #[test]
    fn the_closest_alternative_speaks() {
        let by = |name: &str| json!({ "type": "object", "required": [name, "data"], "properties": { name: { "type": "string" } } });
        let schema = json!({ "anyOf": [by("endpoint"), by("url")] });
        assert_eq!(said(&schema, &json!({ "url": "https://a" })), vec!["/payload/data is required"]);
    }

    #[test]
    fn nothing_is_fetched() {
        for text in [r#"{"$ref":"https://example.com/schema.json"}"#, r#"{"$ref":"file:///etc/passwd"}"#, "{", r#"{"type":"x"}"#] {
            assert!(Schema::compile(text).is_err(), "{text}");
        }
    }
}
