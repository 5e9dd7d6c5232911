//! Bodies that are too much, too slow, or only announced.

use domain::bounds::BATCHES_MAX;

use super::{PATIENCE, Served};
use crate::bench::{ANY, Bench};

/// The caller hears why before it has sent anything of what is not wanted, and then the connection ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_announced_too_large_is_refused_at_once() {
    let served = Served::new().await;
    for (path, length) in [("/v1/jobs", 8 * 1024 * 1024), ("/v1/jobs/batch", 64 * 1024 * 1024)] {
        let mut client = served.connect().await;
        client.send(served.head(path, &format!("content-length: {length}\r\n"))).await;
        let text = client.rest().await;
        assert!(text.starts_with("HTTP/1.1 413") && text.contains("payload_too_large"), "{path} {text}");
        assert!(text.to_ascii_lowercase().contains("connection: close"), "{path} {text}");
    }
}

/// A caller that sends a little too much, announced or not, is heard out, so that it reads its answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_large_is_answered_and_not_reset() {
    let served = Served::new().await;
    let length = 1536 * 1024;
    let announced = served.head("/v1/webhook_endpoints", "content-length: 524288\r\n") + &" ".repeat(512 * 1024);
    let chunked = served.head("/v1/jobs", "transfer-encoding: chunked\r\n") + &format!("{length:x}\r\n{}\r\n0\r\n\r\n", " ".repeat(length));
    for request in [announced, chunked] {
        let mut client = served.connect().await;
        client.send(request).await;
        let reply = client.reply().await;
        assert!(reply.is_problem(413, "payload_too_large"), "{reply:?}");
    }
    assert_eq!(served.bench.jobs().await, 0);
}

/// Slow callers hold no turn: as many as there are turns send half of a batch, and another's batch is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_batches_hold_up_nobody() {
    let served = Served::new().await;
    let mut slow = Vec::new();
    for _ in 0..BATCHES_MAX {
        let mut client = served.connect().await;
        client.send(served.head("/v1/jobs/batch", "content-length: 1000\r\nexpect: 100-continue\r\n")).await;
        assert_eq!(client.reply().await.status, 100, "the body is being waited for");
        client.send("{\"jobs\":[").await;
        slow.push(client);
    }
    let body = format!(r#"{{"jobs":[{{"kind":"{ANY}","payload":1}}]}}"#);
    let taken = tokio::time::timeout(PATIENCE, served.bench.post("/v1/jobs/batch", &body).send()).await.expect("in time");
    assert_eq!(taken.status, 202, "{}", taken.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_asks_first_is_refused_before_it_sends() {
    let served = Served::new().await;
    for (more, status, code) in [
        ("content-length: 8388608\r\n", 413, "payload_too_large"),
        ("content-length: 9\r\ncontent-encoding: gzip\r\n", 415, "unsupported_media_type"),
    ] {
        let mut client = served.connect().await;
        client.send(served.head("/v1/jobs", &format!("{more}expect: 100-continue\r\n"))).await;
        let reply = client.reply().await;
        assert!(reply.is_problem(status, code), "{reply:?}");
    }
}

/// A body has its deadline, whatever its caller does with the rest of the time.
#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let served = Served::of(Bench::new().await, Default::default()).await;
    let mut client = served.connect().await;
    client.send(served.head("/v1/jobs", "content-length: 100\r\nexpect: 100-continue\r\n")).await;
    assert_eq!(client.reply().await.status, 100, "the body is being waited for");
    client.send("{\"kind\":").await;
    tokio::time::pause(); // Nobody works any more: the deadline is the next thing that happens.
    let mut text = String::new();
    let reading = tokio::io::AsyncReadExt::read_to_string(&mut client.0, &mut text);
    tokio::time::timeout(std::time::Duration::from_secs(60), reading).await.expect("bounded").expect("readable");
    tokio::time::resume();
    assert!(text.starts_with("HTTP/1.1 408") && text.contains("request_timeout"), "{text}");
    assert_eq!(served.bench.jobs().await, 0);
}

/// As many slow callers as there are places, and more, shut out nobody: a place is for those whose body is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_submissions_take_up_no_place() {
    let bench = Bench::with(|parts| parts.edge.requests_max = 16).await;
    let served = Served::of(bench, Default::default()).await;
    let mut slow = Vec::new();
    for _ in 0..32 {
        let mut client = served.connect().await;
        client.send(served.head("/v1/jobs", "content-length: 100\r\nexpect: 100-continue\r\n")).await;
        assert_eq!(client.reply().await.status, 100, "the body is being waited for");
        client.send("{").await;
        slow.push(client);
    }
    let mut client = served.connect().await;
    client.send(served.submission()).await;
    let reply = client.reply().await;
    assert_eq!(reply.status, 202, "{reply:?}");
    assert_eq!(served.bench.metrics.http_in_work.get(), 0);
}
