//! What every answer carries, what browsers are told, and how large answers leave.

use std::io::Read as _;

use serde_json::json;

use crate::bench::{ANY, Bench};
use crate::request::Answer;

const ORIGIN: &str = "https://app.example.com";

async fn open_to_pages() -> Bench {
    Bench::with(|parts| parts.edge.origins = vec![ORIGIN.parse().expect("an origin")]).await
}

#[tokio::test]
async fn pages_of_named_origins_may_read_answers_and_no_others() {
    let b = open_to_pages().await;
    for path in ["/v1/whoami", "/v1/none", "/health/live"] {
        let answer = b.get(path).header("origin", ORIGIN).send().await;
        assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), (ORIGIN, "origin"), "{path}");
        assert!(answer.header("access-control-expose-headers").contains("x-request-id"));
        assert_eq!(answer.header("access-control-allow-credentials"), "", "keys are sent by pages, not by browsers");
    }
    for origin in [
        "https://evil.example",
        "null",
        "*",
        "https://app.example.com.evil.example",
        "https://app.example.com:8443",
        "HTTPS://APP.EXAMPLE.COM",
    ] {
        let answer = b.get("/v1/whoami").header("origin", origin).send().await;
        assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, ""), "{origin}");
    }
    let closed = Bench::new().await;
    let answer = closed.get("/v1/whoami").header("origin", ORIGIN).send().await;
    assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), ("", ""));
}

#[tokio::test]
async fn browsers_that_ask_first_are_answered_without_a_key() {
    let b = open_to_pages().await;
    let ask =
        |origin: &str| b.call("OPTIONS", "/v1/jobs").without_key().header("origin", origin).header("access-control-request-method", "POST");
    let yes = ask(ORIGIN).header("access-control-request-headers", "authorization,content-type").send().await;
    assert_eq!((yes.status.as_u16(), yes.header("access-control-allow-origin")), (204, ORIGIN));
    for header in ["authorization", "content-type", "idempotency-key", "last-event-id"] {
        assert!(yes.header("access-control-allow-headers").contains(header), "{header}");
    }
    assert!(yes.header("access-control-allow-methods").contains("POST") && yes.header("access-control-max-age") == "600");
    assert!(yes.headers.get_all("vary").iter().any(|value| value == "origin"));
    let no = ask("https://evil.example").send().await;
    assert_eq!((no.status.as_u16(), no.code().as_str(), no.header("access-control-allow-origin")), (405, "method_not_allowed", ""));
    let plain = b.call("OPTIONS", "/v1/jobs").header("origin", ORIGIN).send().await;
    assert_eq!(plain.status, 405, "this one does not ask what browsers ask");
}

fn unpacked(answer: &Answer) -> Vec<u8> {
    let mut bytes = Vec::new();
    match answer.header("content-encoding") {
        "gzip" => flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut bytes).expect("gzip"),
        "br" => brotli::Decompressor::new(&answer.body[..], 4_096).read_to_end(&mut bytes).expect("Brotli"),
        other => panic!("{other}"),
    };
    bytes
}

#[tokio::test]
async fn large_answers_leave_small_for_those_who_can_read_that() {
    let b = Bench::new().await;
    for size in [2_000, 600_000] {
        let body = json!({ "kind": ANY, "payload": "flotilla ".repeat(size / 9) }).to_string();
        let id = b.post("/v1/jobs", &body).send().await.json()["id"].as_str().expect("an id").to_owned();
        let path = format!("/v1/jobs/{id}");
        let plain = b.get(&path).send().await;
        assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "accept-encoding"));
        for (accepted, coding) in [("gzip", "gzip"), ("br", "br"), ("gzip, deflate, br, zstd", "br"), ("br;q=0.1, gzip", "gzip")] {
            let answer = b.get(&path).header("accept-encoding", accepted).send().await;
            assert_eq!((answer.status.as_u16(), answer.header("content-encoding")), (200, coding), "{accepted}");
            assert_eq!(answer.header("content-length"), answer.body.len().to_string());
            assert!(answer.body.len() * 4 < plain.body.len(), "{} of {}", answer.body.len(), plain.body.len());
            assert!(unpacked(&answer) == plain.body, "{accepted} at {size}");
        }
        for accepted in ["identity", "zstd", "gzip;q=0", "identity;q=0"] {
            let answer = b.get(&path).header("accept-encoding", accepted).send().await;
            assert_eq!((answer.status.as_u16(), answer.header("content-encoding")), (200, ""), "{accepted}: sent as it is, not refused");
        }
        let head = b.call("HEAD", &path).header("accept-encoding", "gzip").send().await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    }
    let small = b.get("/v1/whoami").header("accept-encoding", "gzip").send().await;
    assert_eq!((small.header("content-encoding"), small.header("vary")), ("", ""), "too small to be worth it");
    let metrics = b.get("/metrics").header("accept-encoding", "gzip").send().await;
    assert_eq!(metrics.header("content-encoding"), "gzip");
}
