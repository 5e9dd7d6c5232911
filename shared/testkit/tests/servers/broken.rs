//! Servers of one test only: they stop, freeze, forget and come back, and leave nothing behind.

use std::time::Duration;

use serde_json::json;
use testkit::servers::{Extras, PrivatePostgres, PrivateRabbit, PrivateRedis, Stop};
use testkit::{eventually, skip};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::LONG;

const SHORT: Duration = Duration::from_millis(300);

/// What Redis says to these lines; `None` when it says nothing for a while, or is not there.
async fn redis(server: &PrivateRedis, lines: &str) -> Option<String> {
    let url = server.url();
    let password = url.split([':', '@']).nth(2).expect("a password");
    let mut client = TcpStream::connect(("127.0.0.1", server.port())).await.ok()?;
    client.write_all(format!("AUTH {password}\r\n{lines}\r\nQUIT\r\n").as_bytes()).await.ok()?;
    let mut said = String::new();
    timeout(SHORT * 10, client.read_to_string(&mut said)).await.ok()?.ok()?;
    Some(said)
}

#[tokio::test]
async fn redis_remembers_freezes_and_forgets() {
    let Some(server) = PrivateRedis::start().await else { skip!("redis", "redis-server is not installed") };
    assert!(redis(&server, "SET a 1").await.expect("answers").contains("+OK"));
    server.stop(Stop::Gently).await;
    assert_eq!(redis(&server, "GET a").await, None);
    server.restart().await;
    assert!(redis(&server, "GET a").await.expect("answers").contains("$1\r\n1"));
    server.freeze().await;
    assert_eq!(redis(&server, "GET a").await, None);
    server.thaw().await;
    assert!(redis(&server, "GET a").await.is_some());
    server.wipe_and_start().await;
    assert!(redis(&server, "GET a").await.expect("answers").contains("$-1"));
}

/// Whether PostgreSQL greets.
async fn postgres_greets(server: &PrivatePostgres) -> bool {
    let greeted = async {
        let mut client = TcpStream::connect(("127.0.0.1", server.port())).await?;
        client.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await?;
        client.read_u8().await
    };
    timeout(SHORT * 10, greeted).await.is_ok_and(|letter| letter.is_ok())
}

#[tokio::test]
async fn postgres_stops_freezes_and_comes_back() {
    let extras = Extras { settings: vec!["log_connections = on".to_owned()], files: vec![] };
    let Some(server) = PrivatePostgres::start_with(extras).await else { skip!("postgres", "postgresql is not installed") };
    for stop in [Stop::AtOnce, Stop::Gently] {
        assert!(postgres_greets(&server).await);
        server.stop(stop).await;
        assert!(!postgres_greets(&server).await);
        server.restart().await;
    }
    server.freeze().await;
    assert!(!postgres_greets(&server).await);
    server.thaw().await;
    assert!(postgres_greets(&server).await);
    assert!(server.server().url("a").contains("flotilla"));
}

#[tokio::test]
async fn rabbitmq_forgets_only_when_it_is_wiped() {
    let Some(broker) = PrivateRabbit::start().await else { skip!("rabbitmq", "rabbitmq-server is not installed") };
    let vhost = broker.server().fresh_vhost().await;
    let path = format!("/api/queues/{}/q", vhost.name());
    vhost.ask("PUT", path.clone(), Some(json!({"durable": true, "arguments": {"x-queue-type": "quorum"}}))).await;
    vhost.publish_raw("", "q", b"x", json!({"delivery_mode": 2})).await;
    assert!(broker.ctl(&["list_vhosts", "--silent"]).await.contains(vhost.name()));
    broker.restart().await;
    let counted = async || vhost.queue("q").await.is_some_and(|queue| queue.messages == Some(1));
    eventually("the message is still there", LONG, counted).await;
    broker.wipe_and_start().await;
    assert_eq!(vhost.ask("GET", path, None).await, None);
    assert!(broker.url().ends_with("/%2F"));
}
