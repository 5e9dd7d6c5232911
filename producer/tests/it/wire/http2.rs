//! HTTP/2 without having asked: the same API on the same port.

use bootstrap::ServerLimits;
use serde_json::json;

use super::{PATIENCE, SHORT, Served};
use crate::bench::ANY;

fn client() -> reqwest::Client {
    reqwest::Client::builder().http2_prior_knowledge().timeout(PATIENCE).build().expect("a client")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_share_a_connection() {
    let served = Served::new().await;
    let (client, url) = (client(), format!("http://{}/v1/jobs", served.address));
    let submit = |n: usize| client.post(&url).bearer_auth(&served.bench.key).json(&json!({ "kind": ANY, "payload": n })).send();
    // The first one makes the connection that the others use.
    assert_eq!(submit(0).await.expect("an answer").status(), 202);
    for answer in futures_util::future::join_all((1..200).map(submit)).await {
        let answer = answer.expect("an answer");
        assert_eq!((answer.status().as_u16(), answer.version()), (202, reqwest::Version::HTTP_2));
    }
    assert_eq!(served.bench.jobs().await, 200);
    assert_eq!(served.connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bounds_hold_and_a_stop_ends_it() {
    let served = Served::new().await;
    let (client, url) = (client(), format!("http://{}/v1/jobs", served.address));
    let large =
        client.post(&url).bearer_auth(&served.bench.key).header("content-type", "application/json").body(" ".repeat(2 * 1024 * 1024));
    assert_eq!(large.send().await.expect("an answer").status(), 413);
    let heads = client.get(&url).bearer_auth(&served.bench.key).header("x-long", "z".repeat(64 * 1024));
    assert!(heads.send().await.map_or(true, |answer| answer.status() == 431), "a head that is too large is not taken");
    assert_eq!(client.get(&url).bearer_auth(&served.bench.key).send().await.expect("an answer").status(), 200);
    served.stop.cancel();
    tokio::time::timeout(PATIENCE, served.serving).await.expect("ends").expect("no panic");
}

/// A frame: length, type, flags, stream, payload.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// It reads all that is sent, and lets nothing of an answer be sent: the wire flows, and the answer is kept for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_opens_no_window_is_let_go() {
    const INITIAL_WINDOW_SIZE: u8 = 4;
    const END_STREAM_AND_HEADERS: u8 = 0x5;
    let served = Served::within(ServerLimits { head_within: SHORT, taken_within: SHORT, ..ServerLimits::default() }).await;
    let mut client = served.connect().await;
    let settings = frame(4, 0, 0, &[0, INITIAL_WINDOW_SIZE, 0, 0, 0, 0]);
    // HPACK: GET and http from its table, then the path and the authority as they are.
    let head = [b"\x82\x86\x04\x08/metrics".as_slice(), b"\x01\x01x"].concat();
    let asks: Vec<u8> = (0..16).flat_map(|n| frame(1, END_STREAM_AND_HEADERS, 2 * n + 1, &head)).collect();
    client.send([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), settings, asks].concat()).await;
    testkit::eventually("they are answered", PATIENCE, async || {
        served.bench.metrics.http_requests.with_label_values(&["GET", "/metrics", "200"]).get() == 16
    })
    .await;
    let reading = tokio::spawn(client.rest());
    testkit::eventually("the connection ends", PATIENCE, async || served.connections() == 0).await;
    reading.await.expect("no panic");
}
