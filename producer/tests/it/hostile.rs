//! Bodies that nobody means well with: never a 5xx, never a job, and what is taken comes back byte for byte.

use domain::bounds::{BATCH_BYTES_MAX, JSON_DEPTH_MAX, PAYLOAD_BYTES_MAX, REQUEST_BYTES_MAX};
use proptest::prelude::*;

use crate::bench::{ANY, Bench};

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

fn around(payload: &str) -> Vec<u8> {
    format!(r#"{{"kind":"{ANY}","payload":{payload}}}"#).into_bytes()
}

/// Name, body, and what `POST /v1/jobs` answers.
type Hostile = (&'static str, Vec<u8>, u16, &'static str);

fn hostile() -> Vec<Hostile> {
    let digits = "9".repeat(400);
    vec![
        ("empty", vec![], 400, "invalid_json"),
        ("only spaces", b"  \n ".to_vec(), 400, "invalid_json"),
        ("null", b"null".to_vec(), 422, "invalid_job"),
        ("a string", b"\"x\"".to_vec(), 422, "invalid_job"),
        ("a list", b"[]".to_vec(), 422, "invalid_job"),
        ("a number", b"1".to_vec(), 422, "invalid_job"),
        ("an empty object", b"{}".to_vec(), 422, "invalid_job"),
        ("no JSON", b"hello".to_vec(), 400, "invalid_json"),
        ("cut off", br#"{"kind":"demo.any","payload":{"#.to_vec(), 400, "invalid_json"),
        ("cut off in a string", br#"{"kind":"demo.any","payload":"x"#.to_vec(), 400, "invalid_json"),
        ("trailing garbage", [around("1"), b"x".to_vec()].concat(), 400, "invalid_json"),
        ("two documents", [around("1"), around("1")].concat(), 400, "invalid_json"),
        ("trailing comma", br#"{"kind":"demo.any","payload":1,}"#.to_vec(), 400, "invalid_json"),
        ("a comment", br#"{"kind":"demo.any",/* x */"payload":1}"#.to_vec(), 400, "invalid_json"),
        ("single quotes", b"{'kind':'demo.any','payload':1}".to_vec(), 400, "invalid_json"),
        ("a byte order mark", ["\u{feff}".as_bytes(), &around("1")].concat(), 400, "invalid_json"),
        ("UTF-16", "{}".encode_utf16().flat_map(u16::to_le_bytes).collect(), 400, "invalid_json"),
        (
            "invalid UTF-8",
            [b"{\"kind\":\"demo.any\",\"payload\":\"".to_vec(), vec![0xff, 0xfe], b"\"}".to_vec()].concat(),
            400,
            "invalid_json",
        ),
        (
            "overlong UTF-8",
            [b"{\"kind\":\"demo.any\",\"payload\":\"".to_vec(), vec![0xc0, 0x80], b"\"}".to_vec()].concat(),
            400,
            "invalid_json",
        ),
        ("a raw control character", around("\"\u{0}\""), 400, "invalid_json"),
        ("a lone surrogate", around(r#""\ud800""#), 400, "invalid_json"),
        ("a lone low surrogate as a key", around(r#"{"\udc00":1}"#), 400, "invalid_json"),
        ("a wrong escape", around(r#""\x41""#), 400, "invalid_json"),
        ("nan", around("NaN"), 400, "invalid_json"),
        ("a leading zero", around("01"), 400, "invalid_json"),
        ("a plus", around("+1"), 400, "invalid_json"),
        ("too deep by one", around(&nested(JSON_DEPTH_MAX + 1)), 400, "invalid_json"),
        ("ten thousand levels", around(&nested(10_000)), 400, "invalid_json"),
        ("ten thousand objects", around(&format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000))), 400, "invalid_json"),
        ("a million brackets", "[".repeat(1_000_000).into_bytes(), 400, "invalid_json"),
        ("1e999", around("1e999"), 422, "invalid_payload"),
        ("-1e999 deep inside", around(r#"{"a":[{"b":-1e999}]}"#), 422, "invalid_payload"),
        ("an integer of 400 digits", around(&digits), 422, "invalid_payload"),
        ("a double kind", br#"{"kind":"demo.any","kind":"mail.send","payload":1}"#.to_vec(), 422, "invalid_job"),
        ("a double payload", br#"{"kind":"demo.any","payload":1,"payload":2}"#.to_vec(), 422, "invalid_job"),
        ("no payload", br#"{"kind":"demo.any"}"#.to_vec(), 422, "invalid_payload"),
        ("no kind", br#"{"payload":1}"#.to_vec(), 422, "invalid_job"),
        ("an escaped kind", br#"{"kind":"demo\u0000any","payload":1}"#.to_vec(), 422, "unknown_kind"),
        ("a payload over the bound", around(&format!("\"{}\"", "x".repeat(PAYLOAD_BYTES_MAX))), 413, "payload_too_large"),
        ("a body over the bound", vec![b' '; REQUEST_BYTES_MAX + 1], 413, "payload_too_large"),
    ]
}

#[tokio::test]
async fn hostile_bodies_are_refused_and_leave_nothing() {
    let b = Bench::new().await;
    for (name, body, status, code) in hostile() {
        for path in ["/v1/jobs", "/v1/jobs/batch"] {
            let answer = b.call("POST", path).header("content-type", "application/json").bytes(&body).send().await;
            assert!(answer.status.is_client_error(), "{name} at {path}: {} {}", answer.status, answer.text());
            if path == "/v1/jobs" {
                assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{name}: {}", answer.text());
            }
            let keyed =
                b.call("POST", path).header("content-type", "application/json").header("idempotency-key", "k").bytes(&body).send().await;
            assert!(keyed.status.is_client_error(), "{name} at {path} with a key: {} {}", keyed.status, keyed.text());
        }
        assert_eq!(b.jobs().await, 0, "{name} left something behind");
    }
    let huge = vec![b' '; BATCH_BYTES_MAX + 1];
    let answer = b.call("POST", "/v1/jobs/batch").header("content-type", "application/json").bytes(&huge).send().await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (413, "payload_too_large"));
}

#[tokio::test]
async fn payloads_come_back_byte_for_byte() {
    let b = Bench::new().await;
    let deep = nested(JSON_DEPTH_MAX);
    let large = format!("\"{}\"", "x".repeat(PAYLOAD_BYTES_MAX - 2));
    for payload in [
        "null",
        "-0",
        "1.0",
        "1E+2",
        "100000000000000000000000000000000000001",
        "0.1000000000000000055511151231257827",
        r#"{ "b" : 1 ,"a":[ ],  "b":2 }"#,
        "{\n\t\"z\": 1,\r\n\t\"a\": 2\n}",
        r#""\u0000\u00e9\/\ud83d\ude00é😀""#,
        r#"{"\u0000":"\u0000"}"#,
        r#""</script>""#,
        deep.as_str(),
        large.as_str(),
    ] {
        let answer = b.call("POST", "/v1/jobs").header("content-type", "application/json").bytes(&around(payload)).send().await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        let read = b.get(&format!("/v1/jobs/{id}")).send().await;
        let shown = payload_of(read.text());
        assert!(shown == payload, "{:.200} is not {payload:.200}", shown);
    }
}

/// The member's own text, not a value that was parsed from it.
fn payload_of(text: &str) -> String {
    let members: std::collections::HashMap<String, Box<serde_json::value::RawValue>> = serde_json::from_str(text).expect("an object");
    members["payload"].get().to_owned()
}

#[tokio::test]
async fn only_json_in_utf8_is_read() {
    let b = Bench::new().await;
    for good in
        ["application/json", "Application/JSON; charset=utf-8", "application/vnd.flotilla+json", "application/json;charset=\"UTF-8\""]
    {
        let answer = b.call("POST", "/v1/jobs").header("content-type", good).bytes(&around("1")).send().await;
        assert_eq!(answer.status, 202, "{good}");
    }
    for bad in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "application/json; charset=utf-16",
        "multipart/form-data",
        "application/x-ndjson",
    ] {
        let answer = b.call("POST", "/v1/jobs").header("content-type", bad).bytes(&around("1")).send().await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (415, "unsupported_media_type"), "{bad}");
    }
    let answer = b.call("POST", "/v1/jobs").bytes(&around("1")).send().await;
    assert_eq!(answer.status, 415, "without a type");
    let encoded =
        |path: &str, coding: &str| b.call("POST", path).header("content-type", "application/json").header("content-encoding", coding);
    assert_eq!(encoded("/v1/jobs", "Identity").bytes(&around("1")).send().await.status, 202);
    let cancel = format!("/v1/jobs/{}/cancel", b.submitted().await);
    for path in ["/v1/jobs", "/v1/jobs/batch", "/v1/api_keys", &cancel] {
        for coding in ["gzip", "identity, br", "\u{e9}"] {
            let answer = encoded(path, coding).bytes(&around("1")).send().await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (415, "unsupported_media_type"), "{path} {coding}");
            assert!(answer.json()["hint"].as_str().expect("a hint").contains("Content-Encoding"));
            assert_eq!(answer.header("accept-encoding"), "identity");
        }
    }
}

/// Whatever is sent, the answer is a refusal or a job, and never a failure of ours.
#[test]
fn no_body_is_a_server_error() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let b = runtime.block_on(Bench::new());
    let word = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"kind\""),
        Just("\"payload\""),
        Just("\"demo.any\""),
        Just("\"jobs\""),
        Just("\"unique\""),
        Just("\"\\ud800\""),
        Just("1e999"),
        Just("-0"),
        Just("null"),
        Just(" "),
        Just("\\"),
        Just("é"),
    ];
    let bodies = prop_oneof![
        prop::collection::vec(word, 0..16).prop_map(|words| words.concat().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..64)
    ];
    let mut runner =
        proptest::test_runner::TestRunner::new(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() });
    let checked = runner.run(&bodies, |body| {
        for path in ["/v1/jobs", "/v1/jobs/batch", "/v1/api_keys", "/v1/webhook_endpoints"] {
            let call = b.call("POST", path).header("content-type", "application/json").bytes(&body);
            let status = runtime.block_on(call.send()).status;
            prop_assert!(!status.is_server_error(), "{} for {:?}", status, String::from_utf8_lossy(&body));
        }
        Ok(())
    });
    checked.expect("no server errors");
}
