//! This process's health, its metrics and this document, as the document has it.

use serde_json::json;

use crate::openapi::examples as example;
use crate::openapi::operation::{Answer, Content, Operation, Tag};
use crate::openapi::shape::string;

pub fn live() -> Operation {
    Operation::new(Tag::Process, "live", "Does the process answer?").answers(200, "It does.", "Live", json!({ "status": "live" }))
}

pub fn ready() -> Operation {
    Operation::new(Tag::Process, "ready", "Can jobs be taken in?").answers(200, "They can.", "Ready", example::ready()).answers(
        503,
        "They cannot, or the process stops.",
        "Ready",
        example::not_ready(),
    )
}

pub fn metrics() -> Operation {
    let text =
        "# TYPE flotilla_jobs_accepted_total counter\nflotilla_jobs_accepted_total{kind=\"webhooks.deliver\",queue=\"webhooks\"} 12\n";
    Operation::new(Tag::Process, "metrics", "What this process counts")
        .with_answer(text_answer("In Prometheus' text format.", "text/plain", text))
        .refuses(&["internal"])
}

pub fn document() -> Operation {
    let content = Content { media_type: "application/json", schema: json!({ "type": "object" }), example: json!({ "openapi": "3.1.0" }) };
    Operation::new(Tag::Process, "openapi", "This document").with_answer(Answer {
        status: 200,
        about: "OpenAPI 3.1.",
        headers: &[],
        content: Some(content),
    })
}

pub fn page() -> Operation {
    Operation::new(Tag::Process, "docs", "This document as a page").with_answer(text_answer(
        "The page. It loads nothing from anywhere.",
        "text/html",
        "<!doctype html>…",
    ))
}

fn text_answer(about: &'static str, media_type: &'static str, example: &str) -> Answer {
    Answer { status: 200, about, headers: &[], content: Some(Content { media_type, schema: string(), example: json!(example) }) }
}
