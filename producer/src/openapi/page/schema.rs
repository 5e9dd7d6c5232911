//! How is a shape shown? Its members in a table, their types in a few words, other shapes as links.

use std::fmt::Write as _;

use serde_json::Value;

use super::text::{escape, prose};

pub fn link(name: &str) -> String {
    format!("<li><a href=\"#shape-{name}\">{name}</a></li>")
}

pub fn article(name: &str, shape: &Value) -> String {
    let mut html = format!("<details class=\"shape\" id=\"shape-{name}\"><summary><b>{name}</b> ");
    let _ = write!(html, "<span>{}</span></summary>", prose(sentence(shape)));
    match shape["properties"].as_object() {
        Some(members) => {
            html.push_str("<table><tr><th>member</th><th>type</th><th></th></tr>");
            for (member, schema) in members {
                let required = shape["required"].as_array().is_some_and(|names| names.iter().any(|name| name == member));
                let mark = if required { "" } else { " <i>optional</i>" };
                let _ = write!(
                    html,
                    "<tr><td><code>{}</code>{mark}</td><td>{}</td><td>{}</td></tr>",
                    escape(member),
                    kind(schema),
                    prose(sentence(schema))
                );
            }
            html.push_str("</table>");
        }
        None => {
            let _ = write!(html, "<p>{}</p>", kind(shape));
        }
    }
    html.push_str("</details>");
    html
}

fn sentence(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

/// The type in a few words.
pub fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#shape-{name}\">{name}</a>");
    }
    if let Some(several) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        return several.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(value) = schema["const"].as_str() {
        return format!("<code>{}</code>", escape(value));
    }
    if let Some(values) = schema["enum"].as_array() {
        let shown = values.iter().map(|value| value.as_str().map_or_else(|| "null".to_owned(), escape));
        return shown.map(|value| format!("<code>{value}</code>")).collect::<Vec<_>>().join(" ");
    }
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return "any JSON".to_owned(),
    };
    types.into_iter().map(|name| one_type(name, schema)).collect::<Vec<_>>().join(" or ")
}

fn one_type(name: &str, schema: &Value) -> String {
    let bounds = |least: &str, most: &str| match (&schema[least], &schema[most]) {
        (Value::Number(least), Value::Number(most)) => format!(" {least} to {most}"),
        (Value::Null, Value::Number(most)) => format!(" up to {most}"),
        _ => String::new(),
    };
    match name {
        "array" => format!("list of {}{}", kind(&schema["items"]), bounds("minItems", "maxItems")),
        "string" => match schema["format"].as_str() {
            Some(format) => escape(format),
            None => format!("string{}", bounds("minLength", "maxLength")),
        },
        "integer" | "number" => format!("{name}{}", bounds("minimum", "maximum")),
        other => escape(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn types_are_told_in_a_few_words() {
        let rows = [
            (json!({ "$ref": "#/components/schemas/Job" }), "<a href=\"#shape-Job\">Job</a>"),
            (json!({ "type": ["string", "null"], "maxLength": 5 }), "string up to 5 or null"),
            (json!({ "type": "array", "items": { "type": "integer", "minimum": 1, "maximum": 9 } }), "list of integer 1 to 9"),
            (json!({ "enum": ["a", null] }), "<code>a</code> <code>null</code>"),
            (json!({ "anyOf": [{ "type": "string", "format": "uuid" }, { "type": "null" }] }), "uuid or null"),
            (json!({}), "any JSON"),
        ];
        for (schema, told) in rows {
            assert_eq!(kind(&schema), told, "{schema}");
        }
    }
}
