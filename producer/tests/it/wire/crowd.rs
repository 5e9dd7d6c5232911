//! Many connections: a bound, an answer for those beyond it, room for those who work.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bootstrap::ServerLimits;
use bytes::Bytes;

use super::{PATIENCE, SHORT, Served};
use crate::bench::Bench;

const LIVE: &str = "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";

/// What 2000 connections may cost at most, on both ends together.
const MIB_MAX: i64 = 64;
/// Two for each of them, and some for everything else in this process.
const DESCRIPTORS_MIN: u64 = 5_000;

/// How many files this process may have open.
fn descriptors() -> u64 {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("/proc");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a line");
    line.split_whitespace().nth(3).map_or(0, |soft| soft.parse().unwrap_or(u64::MAX))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_too_many_is_told_to_come_again() {
    let served = Served::within(ServerLimits { connections_max: 4, ..ServerLimits::default() }).await;
    let mut inside = Vec::new();
    for _ in 0..4 {
        let mut client = served.connect().await;
        client.send(LIVE).await;
        assert_eq!(client.reply().await.status, 200);
        inside.push(client);
    }
    let mut outside = served.connect().await;
    outside.send(LIVE).await;
    let reply = outside.reply().await;
    assert!(reply.is_problem(503, "overloaded") && reply.head.contains("retry-after: 1"), "{reply:?}");
    serde_json::from_str::<serde_json::Value>(&reply.body).expect("JSON");
    assert_eq!(outside.rest().await, "", "and that was all");
    assert_eq!(served.bench.metrics.http_shed.with_label_values(&["connections"]).get(), 1);
    drop(inside.pop());
    testkit::eventually("a place is free", PATIENCE, async || served.connections() == 3).await;
    let mut client = served.connect().await;
    client.send(LIVE).await;
    assert_eq!(client.reply().await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_make_room_when_it_gets_crowded() {
    let limits = ServerLimits { connections_max: 8, head_within: SHORT, idle_for_when_crowded: SHORT, ..ServerLimits::default() };
    let served = Served::within(limits).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = served.connect().await;
        client.send(LIVE).await;
        assert_eq!(client.reply().await.status, 200);
        clients.push(client);
    }
    testkit::eventually("some are closed", PATIENCE, async || served.connections() < 8).await;
    let mut client = served.connect().await;
    client.send(LIVE).await;
    assert_eq!(client.reply().await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_idle_connections_hold_up_nobody_and_cost_little() {
    if descriptors() < DESCRIPTORS_MIN {
        testkit::skip!("descriptors", "both ends of 2000 connections are in this process: `ulimit -n 8192`");
    }
    let served = Served::new().await;
    let before = telemetry::resident_bytes().expect("/proc");
    let mut idle = Vec::new();
    for _ in 0..2_000 {
        idle.push(served.connect().await);
    }
    testkit::eventually("all are in", PATIENCE, async || served.connections() == 2_000).await;
    let mut client = served.connect().await;
    client.send(served.submission()).await;
    let reply = tokio::time::timeout(Duration::from_secs(5), client.reply()).await.expect("at once");
    assert_eq!(reply.status, 202, "{reply:?}");
    let grown = (telemetry::resident_bytes().expect("/proc") - before) / (1024 * 1024);
    assert!(grown < MIB_MAX, "{grown} MiB for 2000 idle connections");
    drop(idle);
    testkit::eventually("all are gone", PATIENCE, async || served.connections() == 1).await;
}

/// Even a panic where nobody catches it ends one connection only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_a_connection_ends_that_connection() {
    async fn broken() -> Body {
        Body::from_stream(futures_util::stream::poll_fn(|_| -> std::task::Poll<Option<Result<Bytes, Infallible>>> { panic!("planned") }))
    }
    let router = Router::new().route("/broken", get(broken)).route("/health/live", get(async || "live"));
    let served = Served::with(Bench::new().await, router, ServerLimits::default()).await;
    let mut unlucky = served.connect().await;
    unlucky.send(LIVE.replace("/health/live", "/broken")).await;
    unlucky.rest().await;
    let mut other = served.connect().await;
    other.send(LIVE).await;
    assert_eq!(other.reply().await.status, 200);
    testkit::eventually("it is counted out", PATIENCE, async || served.connections() == 1).await;
}
