//! A stop in the middle of work.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::{PATIENCE, Served};
use crate::bench::Bench;
use crate::double::{IntakeDouble, Writes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_flight_is_answered_after_the_stop() {
    let (arrived, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let writes = Writes::Held { arrived: arrived.clone(), go: go.clone() };
    let bench = Bench::with(|parts| parts.intake = Arc::new(IntakeDouble { inner: parts.intake.clone(), writes })).await;
    let served = Served::of(bench, Default::default()).await;
    let mut idle = served.connect().await;
    idle.send("GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(idle.reply().await.status, 200);
    let mut client = served.connect().await;
    client.send(served.submission()).await;
    arrived.acquire().await.expect("open").forget();
    served.stop.cancel();
    assert_eq!(idle.rest().await, "", "a connection on which nothing is asked ends at once");
    go.add_permits(1);
    let reply = client.reply().await;
    assert_eq!(reply.status, 202, "{reply:?}");
    assert!(reply.head.contains("connection: close"), "{}", reply.head);
    tokio::time::timeout(PATIENCE, served.serving).await.expect("ends").expect("no panic");
    assert!(TcpStream::connect(served.address).await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_never_finishes_does_not_keep_the_process() {
    let served = Served::new().await;
    let mut slow = served.connect().await;
    slow.send(served.head("/v1/jobs", "content-length: 100\r\nexpect: 100-continue\r\n")).await;
    assert_eq!(slow.reply().await.status, 100, "the body is being waited for");
    served.stop.cancel();
    tokio::time::timeout(PATIENCE, served.serving).await.expect("ends within its bound").expect("no panic");
    assert_eq!(served.bench.metrics.http_connections.get(), 0, "it was cut off");
}
