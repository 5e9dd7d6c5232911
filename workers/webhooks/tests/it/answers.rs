//! How long an answer may be, how long it may take, and how long its connection is kept.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use webhooks_worker::Deliverer;

use crate::deliveries::{deliver, deliver_to, deliver_within, delivered, loopback, payload};

/// What the worker reads of a body at most, in time; not public, because nobody else needs it.
const READ_FOR: Duration = Duration::from_secs(5);

/// Answers with a head, then with `x` for as long as anybody reads; returns how many bytes were taken.
async fn endless(stream: &mut TcpStream) -> usize {
    let mut request = [0; 4096];
    let _read = stream.read(&mut request).await.expect("a request");
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n").await.expect("writes");
    let mut taken = 0;
    while let Ok(written) = stream.write(&[b'x'; 65_536]).await {
        taken += written;
    }
    taken
}

#[tokio::test]
async fn an_endless_answer_is_dropped_early() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let server = tokio::spawn(async move { endless(&mut listener.accept().await.expect("a connection").0).await });
    let answer = delivered(deliver(&url).await);
    assert!(answer.response_truncated);
    let taken = server.await.expect("served");
    assert!(taken < 32 * 1024 * 1024, "{taken} bytes were taken, more than the sockets' buffers hold");
}

#[tokio::test]
async fn an_answer_that_stops_after_its_head_is_a_success_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut request = [0; 4096];
        let _read = stream.read(&mut request).await.expect("a request");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab").await.expect("writes");
        stream.read(&mut request).await
    });
    let attempt = deliver_within(&Deliverer::new(loopback()), &url, &payload("1"), Duration::from_millis(500)).await;
    let answer = delivered(attempt);
    assert_eq!((answer.response.as_deref(), answer.response_truncated), (Some("ab"), true));
    assert_eq!(server.await.expect("served").ok(), Some(0), "and its connection is closed");
}

/// Answers with a head, then with a byte now and then, until nobody reads any more.
async fn drip(stream: &mut TcpStream) -> io::Result<()> {
    let mut request = [0; 4096];
    let _read = stream.read(&mut request).await?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n").await?;
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    loop {
        ticks.tick().await;
        stream.write_all(b"x").await?;
    }
}

/// How long a delivery `within` took against a receiver whose answer never ends.
async fn against_a_drip(within: Duration) -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let server = tokio::spawn(async move { drip(&mut listener.accept().await.expect("a connection").0).await });
    let started = Instant::now();
    let answer = delivered(deliver_within(&Deliverer::new(loopback()), &url, &payload("1"), within).await);
    let took = started.elapsed();
    assert!(answer.response_truncated && answer.response.is_some(), "{answer:?}");
    server.await.expect("served").expect_err("the connection is closed");
    took
}

#[tokio::test]
async fn an_answer_that_drips_ends_with_the_attempts_own_time() {
    let took = against_a_drip(Duration::from_millis(500)).await;
    assert!(took < READ_FOR, "{took:?}");
}

#[tokio::test]
async fn an_answer_that_drips_does_not_hold_its_slot_for_the_whole_attempt() {
    let within = Duration::from_secs(60);
    let took = against_a_drip(within).await;
    assert!(took >= READ_FOR && took < within / 2, "{took:?}");
}

/// Answers every request on every connection; the n-th answer says on which connection it came.
async fn counted(listener: TcpListener) {
    for connection in 1.. {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        tokio::spawn(async move {
            let mut request = [0; 4096];
            while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{connection}");
                stream.write_all(answer.as_bytes()).await.expect("writes");
            }
        });
    }
}

/// The address of a pooled connection was checked when it was made: an old one is not used again. The clock stands still only
/// while no connection is at work.
#[tokio::test]
async fn a_connection_that_was_idle_for_long_is_not_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let server = tokio::spawn(counted(listener));
    let deliverer = Deliverer::new(loopback());
    let mut used = Vec::new();
    for idle_secs in [0, 20, 31] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(idle_secs)).await;
        tokio::time::resume();
        used.push(delivered(deliver_to(&deliverer, &url, &payload("1")).await).response.expect("a number"));
    }
    assert_eq!(used, ["1", "1", "2"], "shortly after, the connection is used again");
    server.abort();
}
