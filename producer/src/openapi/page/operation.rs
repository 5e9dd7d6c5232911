//! How is an operation shown? What it takes, what it answers, what it refuses, and a command to try.

use std::fmt::Write as _;

use http::Method;
use serde_json::Value;

use super::schema::kind;
use super::text::{escape, prose};
use crate::openapi::operation::{Answer, Body, Operation, Parameter, Place, scope_sentence};
use crate::openapi::refusals::meaning_of;
use crate::routes::RouteInfo;

type Row = (RouteInfo, Operation);

/// What the commands stand on.
pub const KEY_HINT: &str = "<pre>FLOTILLA=http://127.0.0.1:8080\nAUTH=\"authorization: Bearer $(flotilla keys create docs --scopes admin)\"\nJSON='content-type: application/json'</pre>";

pub fn link((route, operation): &Row) -> String {
    format!("<li><a href=\"#{}\">{}{}</a></li>", operation.id, method(route), escape(route.path))
}

pub fn article((route, operation): &Row) -> String {
    let mut html = format!("<details class=\"call\" id=\"{}\"><summary>{}", operation.id, method(route));
    let _ = write!(html, "<code>{}</code> <span>{}</span></summary>", escape(route.path), prose(operation.summary));
    let about = [operation.about, &scope_sentence(route.needs)].join(" ");
    let _ = write!(html, "<p>{}</p>", prose(about.trim()));
    html.push_str(&parameters(&operation.parameters));
    html.push_str(&operation.body.as_ref().map(body).unwrap_or_default());
    let _ = write!(html, "<h4>Try it</h4><pre>{}</pre>", escape(&command(route, operation)));
    html.push_str("<h4>Answers</h4><table>");
    operation.answers.iter().for_each(|it| html.push_str(&answer(it)));
    for (status, codes) in operation.refusals(route.needs) {
        let meanings: Vec<String> = codes.iter().map(|code| format!("<code>{code}</code> {}", prose(meaning_of(code)))).collect();
        let _ = write!(html, "<tr class=\"no\"><td>{status}</td><td>{}</td></tr>", meanings.join("<br>"));
    }
    html.push_str("</table></details>");
    html
}

fn method(route: &RouteInfo) -> String {
    let name = route.method.as_str();
    format!("<b class=\"m {}\">{name}</b>", name.to_ascii_lowercase())
}

fn parameters(parameters: &[Parameter]) -> String {
    if parameters.is_empty() {
        return String::new();
    }
    let rows: String = parameters
        .iter()
        .map(|it| {
            let place = it.place.name();
            format!("<tr><td><code>{}</code> <i>{place}</i></td><td>{}</td><td>{}</td></tr>", it.name, kind(&it.schema), prose(it.about))
        })
        .collect();
    format!("<h4>Parameters</h4><table>{rows}</table>")
}

fn body(body: &Body) -> String {
    let required = if body.required { "" } else { " <i>optional</i>" };
    let contents = body.contents.iter().map(|it| {
        format!("<p>{} <code>{}</code>{required}</p><pre>{}</pre>", kind(&it.schema), it.media_type, escape(&pretty(&it.example)))
    });
    format!("<h4>Body</h4>{}", contents.collect::<String>())
}

fn answer(answer: &Answer) -> String {
    let mut html = format!("<tr><td>{}</td><td>{}", answer.status, prose(answer.about));
    if !answer.headers.is_empty() {
        let names: Vec<String> = answer.headers.iter().map(|name| format!("<code>{name}</code>")).collect();
        let _ = write!(html, " With {}.", names.join(" and "));
    }
    if let Some(content) = &answer.content {
        let example = escape(&pretty(&content.example));
        let _ = write!(
            html,
            "<details><summary>{} <code>{}</code></summary><pre>{example}</pre></details>",
            kind(&content.schema),
            content.media_type
        );
    }
    html.push_str("</td></tr>");
    html
}

/// JSON with its lines, text as it is.
fn pretty(example: &Value) -> String {
    match example {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

/// The call with `curl`, for a shell that has the variables of [`KEY_HINT`].
fn command(route: &RouteInfo, operation: &Operation) -> String {
    let mut path = route.path.to_owned();
    for parameter in operation.parameters.iter().filter(|parameter| parameter.place == Place::Path) {
        path = path.replace(&format!("{{{}}}", parameter.name), parameter.example.as_str().unwrap_or_default());
    }
    let mut command = format!("curl -sS \"$FLOTILLA{path}\"");
    if route.needs != crate::routes::Needs::Nothing {
        command.push_str(" -H \"$AUTH\"");
    }
    match operation.body.as_ref().and_then(|body| body.contents.first()) {
        Some(content) => {
            let _ = write!(command, " -H \"$JSON\" \\\n  -d '{}'", content.example);
        }
        None if route.method != Method::GET => {
            let _ = write!(command, " -X {}", route.method);
        }
        None => {}
    }
    command
}
