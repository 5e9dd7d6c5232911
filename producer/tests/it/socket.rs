//! The API on a real socket: too much data, a stop in the middle of work.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::bounds::BATCHES_MAX;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bench::{ANY, Bench};
use crate::double::{IntakeDouble, Writes};

const PATIENCE: Duration = Duration::from_secs(20);

async fn served(b: &Bench) -> (SocketAddr, CancellationToken, JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound");
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(producer::serve(listener, b.router.clone(), shutdown.clone()));
    (address, shutdown, serving)
}

fn head(b: &Bench, path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n",
        b.key
    )
}

async fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await.expect("in time").expect("readable");
    text
}

/// What came before the connection ended, however it ended.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let reading = async { while stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(PATIENCE, reading).await.expect("the connection ends in time");
    String::from_utf8(bytes).expect("UTF-8")
}

/// The caller hears why before it has sent anything of what is not wanted, and then the connection ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_announced_too_large_is_refused_at_once() {
    let b = Bench::new().await;
    let (address, _, _) = served(&b).await;
    for (path, length) in [("/v1/jobs", 8 * 1024 * 1024), ("/v1/jobs/batch", 64 * 1024 * 1024)] {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        stream.write_all(head(&b, path, length).replace("connection: close\r\n", "").as_bytes()).await.expect("sends");
        let text = rest(stream).await;
        assert!(text.starts_with("HTTP/1.1 413") && text.contains("payload_too_large"), "{path} {text}");
        assert!(text.to_ascii_lowercase().contains("connection: close"), "{path} {text}");
    }
}

/// A caller that sends a little too much, announced or not, is heard out, so that it reads its answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_large_is_answered_and_not_reset() {
    let b = Bench::new().await;
    let (address, _, _) = served(&b).await;
    let length = 1536 * 1024;
    let announced = format!("{}{}", head(&b, "/v1/webhook_endpoints", 512 * 1024), " ".repeat(512 * 1024));
    let chunked = head(&b, "/v1/jobs", length).replace(&format!("content-length: {length}"), "transfer-encoding: chunked");
    let chunked = format!("{chunked}{length:x}\r\n{}\r\n0\r\n\r\n", " ".repeat(length));
    for request in [announced, chunked] {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        stream.write_all(request.as_bytes()).await.expect("sends all of it");
        let text = answer(stream).await;
        assert!(text.starts_with("HTTP/1.1 413") && text.contains("payload_too_large"), "{text}");
    }
}

/// Slow callers hold no turn: as many as there are turns send half of a batch, and another's batch is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_batches_hold_up_nobody() {
    let b = Bench::new().await;
    let (address, _, _) = served(&b).await;
    let mut slow = Vec::new();
    for _ in 0..BATCHES_MAX {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        let head = head(&b, "/v1/jobs/batch", 1_000).replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sends");
        slow.push(stream);
    }
    for stream in &mut slow {
        let mut word = [0; 12];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut word)).await.expect("in time").expect("readable");
        assert_eq!(&word, b"HTTP/1.1 100", "the body is being waited for");
        stream.write_all(b"{\"jobs\":[").await.expect("sends half");
    }
    let body = format!(r#"{{"jobs":[{{"kind":"{ANY}","payload":1}}]}}"#);
    let taken = tokio::time::timeout(PATIENCE, b.post("/v1/jobs/batch", &body).send()).await.expect("in time");
    assert_eq!(taken.status, 202, "{}", taken.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_asks_first_is_refused_before_it_sends() {
    let b = Bench::new().await;
    let (address, _, _) = served(&b).await;
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let head = head(&b, "/v1/jobs", 8 * 1024 * 1024).replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sends");
    assert!(answer(stream).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_flight_is_answered_after_the_stop() {
    let (arrived, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let writes = Writes::Held { arrived: arrived.clone(), go: go.clone() };
    let b = Bench::with(|parts| parts.intake = Arc::new(IntakeDouble { inner: parts.intake.clone(), writes })).await;
    let (address, shutdown, serving) = served(&b).await;
    let body = format!(r#"{{"kind":"{ANY}","payload":1}}"#);
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(format!("{}{body}", head(&b, "/v1/jobs", body.len())).as_bytes()).await.expect("sends");
    arrived.acquire().await.expect("open").forget();
    shutdown.cancel();
    go.add_permits(1);
    assert!(answer(stream).await.starts_with("HTTP/1.1 202"));
    tokio::time::timeout(PATIENCE, serving).await.expect("ends").expect("no panic").expect("ends well");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_never_finishes_does_not_keep_the_process() {
    let b = Bench::new().await;
    let (address, shutdown, serving) = served(&b).await;
    let mut idle = TcpStream::connect(address).await.expect("connects");
    let head = head(&b, "/v1/jobs", 100).replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
    idle.write_all(head.as_bytes()).await.expect("sends half");
    let mut word = [0; 12];
    idle.read_exact(&mut word).await.expect("readable");
    assert_eq!(&word, b"HTTP/1.1 100", "the body is being waited for");
    shutdown.cancel();
    tokio::time::timeout(PATIENCE, serving).await.expect("ends within its bound").expect("no panic").expect("ends well");
}
