//! Callers that take their time: each has a deadline, and holds up nobody else.

use std::time::{Duration, Instant};

use bootstrap::ServerLimits;
use domain::bounds::PAYLOAD_BYTES_MAX;
use tokio::time::interval;

use super::{Client, PATIENCE, SHORT, Served};
use crate::bench::ANY;

const LIVE: &str = "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";
/// A deadline that no test waits for.
const LONG: Duration = Duration::from_secs(600);

fn hasty() -> ServerLimits {
    ServerLimits { head_within: SHORT, idle_for: LONG, ..ServerLimits::default() }
}

/// Sends `text` byte by byte for as long as it is taken, and then waits for the end.
async fn trickle(mut client: Client, text: String) -> String {
    let mut pace = interval(Duration::from_millis(20));
    for byte in text.into_bytes() {
        pace.tick().await;
        if tokio::io::AsyncWriteExt::write_all(&mut client.0, &[byte]).await.is_err() {
            break;
        }
    }
    client.rest().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_comes_byte_by_byte_ends_its_connection_and_no_other() {
    let served = Served::within(hasty()).await;
    let head = format!("GET /health/live HTTP/1.1\r\nhost: x\r\nx-slow: {}\r\n\r\n", "z".repeat(200));
    let started = Instant::now();
    let slow: Vec<_> = futures_util::future::join_all((0..20).map(|_| served.connect())).await;
    let slow: Vec<_> = slow.into_iter().map(|client| tokio::spawn(trickle(client, head.clone()))).collect();
    let mut quick = served.connect().await;
    for _ in 0..5 {
        quick.send(LIVE).await;
        assert_eq!(quick.reply().await.status, 200);
    }
    for slow in slow {
        assert_eq!(slow.await.expect("no panic"), "", "nothing to say to half a request");
    }
    assert!(started.elapsed() < Duration::from_secs(4), "the whole head would take {:?}", started.elapsed());
    quick.send(LIVE).await;
    assert_eq!(quick.reply().await.status, 200, "the deadline of heads does not run between requests");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_on_which_nothing_whole_comes_ends() {
    let served = Served::within(hasty()).await;
    for beginning in ["", "P", "PRI * HTTP/2.0\r\n", "GET /health/live HTT", "\r\n\r\n"] {
        let mut client = served.connect().await;
        client.send(beginning).await;
        assert_eq!(client.rest().await, "", "{beginning:?}");
    }
    let mut client = served.connect().await;
    client.send(LIVE).await;
    assert_eq!(client.reply().await.status, 200);
    client.send("GET /heal").await;
    assert_eq!(client.rest().await, "", "the second head has a deadline, too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_is_kept_for_its_time_and_then_closed() {
    let served = Served::within(ServerLimits { head_within: SHORT, idle_for: SHORT * 2, ..ServerLimits::default() }).await;
    let mut client = served.connect().await;
    for _ in 0..2 {
        client.send(LIVE).await;
        assert_eq!(client.reply().await.status, 200);
    }
    let since = Instant::now();
    assert_eq!(client.rest().await, "");
    assert!(since.elapsed() >= SHORT * 2 - Duration::from_millis(50), "closed after {:?}", since.elapsed());
}

/// Answers of 1 MiB each pile up nowhere: the caller that does not read them is let go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_does_not_take_its_answers_is_let_go() {
    let served = Served::within(ServerLimits { head_within: SHORT, taken_within: SHORT, ..ServerLimits::default() }).await;
    let body = format!(r#"{{"kind":"{ANY}","payload":"{}"}}"#, "x".repeat(PAYLOAD_BYTES_MAX - 2));
    let id = served.bench.post("/v1/jobs", &body).send().await.json()["id"].as_str().expect("an id").to_owned();
    let mut greedy = served.connect().await;
    let one = format!("GET /v1/jobs/{id} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", served.bench.key);
    greedy.send(one.repeat(100)).await;
    testkit::eventually("the connection ends", PATIENCE, async || served.connections() == 0).await;
    drop(greedy);
}
