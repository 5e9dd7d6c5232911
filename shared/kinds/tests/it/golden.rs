//! Payloads of every version ever released: a file here is never changed and never removed.

use kinds::{Deliver, info_of};

fn decoded(text: &str) -> Deliver {
    let deliver: Deliver = serde_json::from_str(text).expect("a golden payload must decode for ever");
    deliver.check().expect("and pass");
    deliver
}

#[test]
fn a_payload_with_a_url_decodes() {
    let deliver = decoded(include_str!("../golden/webhooks.deliver.v1.url.json"));
    let target = deliver.target().expect("a target");
    assert_eq!(target.url.map(String::from).as_deref(), Some("https://example.com/hooks?x=1"));
    assert_eq!(target.endpoint, None);
    assert_eq!(deliver.content_type(), "application/json");
}

#[test]
fn a_payload_with_an_endpoint_decodes() {
    let target = decoded(include_str!("../golden/webhooks.deliver.v1.endpoint.json")).target().expect("a target");
    assert_eq!((target.url.is_none(), target.signer().as_str()), (true, "orders"));
}

#[test]
fn a_payload_with_everything_decodes() {
    let deliver = decoded(include_str!("../golden/webhooks.deliver.v1.full.json"));
    assert_eq!(deliver.headers.len(), 2);
    assert_eq!(deliver.content_type(), "application/cloudevents+json; charset=utf-8");
    assert_eq!(deliver.body(), "{ \"b\" : 1.00,\n    \"a\":[ ],\"e\":\"\\u00e9\", \"n\": 12345678901234567890123 }");
}

#[test]
fn a_payload_of_a_callback_decodes() {
    decoded(include_str!("../golden/webhooks.deliver.v1.callback.json"));
}

#[test]
fn the_schema_changes_only_on_purpose() {
    let schema: serde_json::Value = serde_json::from_str(&info_of::<Deliver>().schema).expect("JSON");
    insta::assert_json_snapshot!("webhooks.deliver", schema);
}
