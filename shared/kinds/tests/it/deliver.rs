//! The schema and the code refuse the same payloads, and the body stays what it was.

use kinds::{Deliver, Kind, info_of};
use proptest::prelude::*;
use serde_json::{Value, json};

fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&info_of::<Deliver>().schema).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema")
}

/// Whether the schema takes it, and whether the code does.
fn taken(validator: &jsonschema::Validator, payload: &Value) -> (bool, bool) {
    let code = serde_json::from_str::<Deliver>(&payload.to_string()).is_ok_and(|deliver| deliver.check().is_ok());
    (validator.is_valid(payload), code)
}

fn with_header(name: &str, value: &str) -> Value {
    json!({ "url": "https://example.com/", "data": 1, "headers": { name: value } })
}

fn with_url(url: &str) -> Value {
    json!({ "url": url, "data": 1 })
}

fn with_content_type(content_type: &str) -> Value {
    json!({ "url": "https://example.com/", "data": 1, "content_type": content_type })
}

#[test]
fn good_payloads_pass_both() {
    let validator = validator();
    let many: serde_json::Map<_, _> = (0..16).map(|n| (format!("x-{n}"), json!("v"))).collect();
    let mut rows = vec![
        json!({ "url": "https://example.com", "data": {} }),
        json!({ "endpoint": "orders", "data": null }),
        json!({ "endpoint": "a", "url": "HTTP://[::1]:8080/x?y#z", "data": [1] }),
        json!({ "endpoint": "a", "data": 1, "headers": many }),
    ];
    let headers = [("Authorization", "Bearer x"), ("X-A", "a"), ("x-a_b.c", "a  ;b"), ("webhook", "x"), ("hosts", "x"), ("cookie", "a=b")];
    rows.extend(headers.map(|(name, value)| with_header(name, value)));
    rows.extend(["text/plain", "application/vnd.a+json; charset=utf-8", "a/b;c=d"].map(with_content_type));
    for payload in rows {
        assert_eq!(taken(&validator, &payload), (true, true), "{payload}");
    }
}

#[test]
fn bad_payloads_pass_neither() {
    let validator = validator();
    let many: serde_json::Map<_, _> = (0..17).map(|n| (format!("x-{n}"), json!("v"))).collect();
    let mut rows = vec![
        json!({}),
        json!([]),
        json!({ "data": 1 }),
        json!({ "url": "https://example.com/" }),
        json!({ "url": "https://example.com/", "data": 1, "datum": 1 }),
        json!({ "endpoint": "Orders", "data": 1 }),
        json!({ "endpoint": "a".repeat(65), "data": 1 }),
        json!({ "endpoint": "a", "data": 1, "headers": many }),
        json!({ "endpoint": "a", "data": 1, "headers": ["x"] }),
        with_header(&"x".repeat(65), "v"),
        with_header("x", &"v".repeat(1_025)),
        with_content_type(&format!("a/{}", "b".repeat(128))),
    ];
    let names = ["", "a b", "a:b", "é", "x\n", "Host", "HOST", "Webhook-Id", "webhook-x", "Content-Length", "transfer-encoding"];
    rows.extend(names.map(|name| with_header(name, "v")));
    rows.extend(["Connection", "Proxy-Authorization", "TE", "content-type", "Traceparent", "upgrade"].map(|name| with_header(name, "v")));
    rows.extend(["", " a", "a ", "a\r\nx: y", "a\n", "é", "\u{0}"].map(|value| with_header("x", value)));
    rows.extend(["", "text", "/", "text/", "text/plain;", "a/b\r\nx: y", "a/b; \n", "té/x"].map(with_content_type));
    for payload in rows {
        assert_eq!(taken(&validator, &payload), (false, false), "{payload}");
    }
}

/// The URL parser takes more spellings than the schema: intake is the stricter of the two, and what the address may be
/// is decided when it is delivered.
#[test]
fn intake_refuses_urls_of_other_schemes_with_userinfo_or_blanks() {
    let validator = validator();
    let long = format!("https://example.com/{}", "a".repeat(2_048));
    for url in [
        "",
        "example.com",
        "//example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "javascript:1",
        "https://",
        "https:///x",
        long.as_str(),
    ] {
        assert!(!validator.is_valid(&with_url(url)), "{url}");
    }
    for url in [
        "https://u@example.com/",
        "https://u:p@example.com/",
        "https://a\\@b/",
        "https://exa mple.com/",
        "https://example.com/\n",
        " https://a/",
    ] {
        assert!(!validator.is_valid(&with_url(url)), "{url:?}");
    }
    assert!(!validator.is_valid(&with_url(r"https://a\b.example.com/")), "a backslash ends the host for some parsers only");
    assert!(validator.is_valid(&with_url("https://example.com/@user")));
}

#[test]
fn a_failure_names_the_field_and_no_value() {
    let payload = r#"{"url":"https://example.com/","data":"private","headers":{"host":"secret-value"}}"#;
    let deliver: Deliver = serde_json::from_str(payload).expect("decodes");
    let failure = deliver.check().expect_err("reserved");
    assert_eq!(failure.code, "invalid_payload");
    let shown = format!("{failure:?} {deliver:?}");
    assert!(shown.contains("`host`") && !shown.contains("secret-value") && !shown.contains("private"), "{shown}");
}

#[test]
fn headers_that_differ_in_case_only_are_refused() {
    let payload = r#"{"url":"https://example.com/","data":1,"headers":{"X-A":"1","x-a":"2"}}"#;
    assert!(serde_json::from_str::<Deliver>(payload).expect("decodes").check().is_err());
}

#[test]
fn the_defaults_are_those_of_the_plan() {
    let info = info_of::<Deliver>();
    assert_eq!((info.name.as_str(), info.queue.as_str(), info.max_attempts), ("webhooks.deliver", "webhooks", 16));
    assert_eq!(info.timeout, std::time::Duration::from_secs(30));
    assert_eq!(info.effects, domain::EffectPolicy::RepeatSameKey);
    assert_eq!(info.retry, Deliver::retry());
}

proptest! {
    #[test]
    fn the_body_is_kept_byte_for_byte(number in "-?[1-9][0-9]{0,30}(\\.[0-9]{1,10})?([eE][+-]?[0-9]{1,3})?", blanks in "[ \n\t]{0,5}", text in "\\PC{0,40}") {
        let body = format!("{{\"n\":{blanks}{number}{blanks},{blanks}\"n\": {blanks}{}}}", Value::from(text));
        let payload = format!("{{\"data\":{blanks}{body}{blanks},\"endpoint\":\"a\"}}");
        let deliver: Deliver = serde_json::from_str(&payload).expect("decodes");
        prop_assert_eq!(deliver.body(), body);
    }

    #[test]
    fn schema_and_code_agree_on_headers(name in "[ -~]{0,12}|(?i)(host|webhook-[a-z]{0,3}|proxy-a|te|x-te)", value in "[ -~]{0,8}|\\PC{0,4}") {
        let (schema, code) = taken(&validator(), &with_header(&name, &value));
        prop_assert_eq!(schema, code);
    }

    #[test]
    fn schema_and_code_agree_on_content_types(text in "[a-z ;/=!-]{0,12}") {
        let (schema, code) = taken(&validator(), &with_content_type(&text));
        prop_assert_eq!(schema, code);
    }

    #[test]
    fn hostile_text_never_panics(text in "\\PC{0,200}") {
        let _ = serde_json::from_str::<Deliver>(&text).map(|deliver| deliver.check());
    }
}
