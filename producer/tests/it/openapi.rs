//! The OpenAPI document and its page as they are served, and whether the API does what the document says.

use std::collections::BTreeSet;

use http::Method;
use producer::routes;
use serde_json::{Value, json};

use crate::bench::{ANY, Bench};
use crate::document::validator;

#[tokio::test]
async fn the_document_is_open_to_everybody() {
    let b = Bench::new().await;
    let answer = b.get("/openapi.json").without_key().send().await;
    let document = answer.json();
    assert_eq!((answer.status.as_u16(), document["openapi"].as_str()), (200, Some("3.1.0")));
    assert_eq!(document, producer::document());
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

/// What the document does not list, the router does not take.
#[tokio::test]
async fn no_path_takes_more_methods_than_the_document_lists() {
    let b = Bench::new().await;
    let document = producer::document();
    let mut listed = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let methods: BTreeSet<String> = methods.as_object().expect("methods").keys().map(|name| name.to_ascii_uppercase()).collect();
        listed += methods.len();
        let real = path
            .replace("{id}", "0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f")
            .replace("{name}", "n")
            .replace("{kind}", "k")
            .replace("{queue}", "q");
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::TRACE] {
            let answer = b.call(method.as_str(), &real).without_key().send().await;
            assert_eq!(answer.status == 405, !methods.contains(method.as_str()), "{method} {path}: {}", answer.status);
        }
    }
    assert_eq!(listed, routes().len());
}

#[tokio::test]
async fn the_page_is_served_with_a_policy_of_its_own() {
    let b = Bench::new().await;
    let page = b.get("/docs").without_key().send().await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    assert!(page.text().contains("/v1/jobs/{id}/events"));
}

/// Values that are seldom meant.
fn odd() -> [Value; 10] {
    [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(""),
        json!([]),
        json!({}),
        json!("a\u{7}"),
        json!([1]),
        json!("x".repeat(3_000)),
    ]
}

/// A body with one thing changed: without a member, with one too many, with a member that is odd.
fn variants(body: &Value) -> Vec<Value> {
    let members = body.as_object().expect("an object");
    let mut all = vec![body.clone()];
    let mut with = |name: &str, value: Option<Value>| {
        let mut members = members.clone();
        match value {
            Some(value) => members.insert(name.to_owned(), value),
            None => members.remove(name),
        };
        all.push(members.into());
    };
    with("stranger", Some(json!(1)));
    for name in members.keys() {
        with(name, None);
        odd().into_iter().for_each(|value| with(name, Some(value)));
    }
    for (name, inner) in members.iter().filter(|(_, inner)| inner.is_object()) {
        for variant in variants(inner) {
            with(name, Some(variant));
        }
    }
    all
}

/// A body with all its members, and whether to judge those that the document allows.
fn bodies(job: &str) -> Vec<(String, Value)> {
    let job_body = json!({
        "kind": ANY, "payload": { "a": 1 }, "queue": "demo", "priority": "high", "delay": "1h", "expires_at": "2099-01-01T00:00:00Z",
        "max_attempts": 3, "timeout": "30s", "tags": ["t"], "unique": { "key": "k", "for": "1h" }, "group": "g",
        "callback_url": "https://example.com/done",
    });
    let filter = json!({
        "state": "dead", "kind": ANY, "queue": "demo", "tag": "t", "created_after": "2026-01-01T00:00:00Z",
        "created_before": "2026-01-01T00:00:00Z", "q": "text",
    });
    let dead = json!({
        "queue": "demo", "kind": ANY, "fingerprint": "f", "reason": "r", "dead_after": "2026-01-01T00:00:00Z",
        "dead_before": "2026-01-01T00:00:00Z",
    });
    let act = |name: &str| format!("/v1/jobs/{job}/{name}");
    vec![
        ("/v1/jobs".to_owned(), job_body.clone()),
        ("/v1/jobs/batch".to_owned(), json!({ "jobs": [job_body] })),
        (act("reprioritize"), json!({ "priority": "low", "reason": "r" })),
        (act("reschedule"), json!({ "run_at": "2026-11-20T09:00:00Z", "reason": "r" })),
        (act("reschedule"), json!({ "delay": "1h", "reason": "r" })),
        (act("run_now"), json!({ "reason": "r" })),
        ("/v1/jobs/bulk".to_owned(), json!({ "action": "cancel", "filter": filter, "reason": "r" })),
        ("/v1/jobs/bulk".to_owned(), json!({ "action": "reprioritize", "priority": "low", "filter": { "q": "text" }, "reason": "r" })),
        ("/v1/jobs/bulk".to_owned(), json!({ "action": "reschedule", "delay": "1h", "filter": { "q": "text" }, "reason": "r" })),
        ("/v1/dead_letters/replay".to_owned(), json!({ "ids": [job], "canary": 5, "reason": "r" })),
        ("/v1/dead_letters/replay".to_owned(), json!({ "filter": dead, "canary": null, "reason": "r" })),
        ("/v1/api_keys".to_owned(), json!({ "name": "ci", "scopes": ["read"], "tenant": "acme" })),
        ("/v1/webhook_endpoints".to_owned(), json!({ "name": "orders", "url": "https://example.com/hook" })),
        ("/v1/webhook_endpoints/orders/disable".to_owned(), json!({ "reason": "r" })),
        (act("cancel"), json!({ "reason": "r" })),
        (act("retry"), json!({ "payload": { "a": 1 } })),
    ]
}

/// What the schema of a body allows is granted, and what it forbids is refused.
#[tokio::test]
async fn bodies_are_judged_as_the_document_says() {
    let b = Bench::new().await;
    let job = b.submitted().await.to_string();
    let document = producer::document();
    let mut judged = (0, 0);
    for (path, body) in bodies(&job) {
        let template = path.replace(&job, "{id}").replace("/orders/", "/{name}/");
        let schema = &document["paths"][&template]["post"]["requestBody"]["content"]["application/json"]["schema"];
        for variant in variants(&body) {
            let allowed = validator(schema).is_valid(&variant);
            // What can be run again can be so once.
            let path = if path.ends_with("/retry") { path.replace(&job, &b.cancelled().await.to_string()) } else { path.clone() };
            let answer = b.post(&path, &variant.to_string()).send().await;
            let refused = answer.status == 422;
            assert_eq!(refused, !allowed, "{path} {variant} -> {} {}", answer.status, answer.text());
            if allowed { judged.0 += 1 } else { judged.1 += 1 }
        }
    }
    assert!(judged.0 > 60 && judged.1 > 200, "{judged:?}");
}
