//! The servers of the run: what is made for one test is there, is its own, and goes with it.

use serde_json::json;
use testkit::servers::{self, PrivateRabbit, Vhost};
use testkit::{eventually, skip};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::LONG;

async fn declare(vhost: &Vhost, queue: &str, kind: &str) {
    let wish = json!({"durable": true, "arguments": {"x-queue-type": kind}});
    vhost.ask("PUT", format!("/api/queues/{}/{queue}", vhost.name()), Some(wish)).await;
}

#[tokio::test]
async fn a_virtual_host_is_described_and_goes() {
    let Some(server) = servers::rabbitmq() else { skip!("rabbitmq", servers::HOW) };
    let (vhost, other) = (server.fresh_vhost().await, server.fresh_vhost().await);
    assert!(vhost.url().ends_with(&format!("/{}", vhost.name())));
    for kind in ["quorum", "classic"] {
        declare(&vhost, kind, kind).await;
        assert!(vhost.publish_raw("", kind, b"\x00\xffraw", json!({"message_id": "m1"})).await, "routed");
        let counted = async || vhost.queue(kind).await.filter(|queue| queue.messages == Some(1) && queue.consumers.is_some());
        let queue = eventually("the message is counted", LONG, counted).await;
        assert_eq!((queue.kind.as_str(), queue.durable, queue.consumers), (kind, true, Some(0)));
        let taken = vhost.get(kind, 10).await;
        assert_eq!(taken.len(), 1);
        assert_eq!((taken[0].body.as_slice(), taken[0].properties["message_id"].as_str()), (&b"\x00\xffraw"[..], Some("m1")));
        assert_eq!(vhost.get(kind, 10).await.len(), 0, "taken is gone");
        vhost.publish_raw("", kind, b"x", json!({})).await;
        assert!(vhost.purge(kind).await && vhost.get(kind, 1).await.is_empty());
        assert!(vhost.delete_queue(kind).await);
        assert!(!vhost.delete_queue(kind).await && vhost.queue(kind).await.is_none());
    }
    assert!(!vhost.publish_raw("", "nobody", b"x", json!({})).await, "not routed");
    assert_eq!(other.queues().await.len(), 0);
    let path = format!("/api/vhosts/{}", vhost.name());
    assert!(other.ask("GET", path.clone(), None).await.is_some());
    drop(vhost);
    eventually("the virtual host is gone", LONG, async || other.ask("GET", path.clone(), None).await.is_none()).await;
}

/// Else a run on another version would break, restart and wipe the one that the system has.
#[tokio::test]
async fn a_private_broker_is_of_the_version_of_the_run() {
    let Some(server) = servers::rabbitmq() else { skip!("rabbitmq", servers::HOW) };
    let Some(private) = PrivateRabbit::start().await else { skip!("rabbitmq", "rabbitmq-server is not installed") };
    let mut versions = Vec::new();
    for vhost in [server.default_vhost(), private.server().default_vhost()] {
        // The overview has no answer before the broker has counted.
        versions.push(vhost.ask("GET", "/api/definitions".to_owned(), None).await.expect("described")["rabbitmq_version"].clone());
    }
    assert!(versions[0].is_string() && versions[0] == versions[1], "{versions:?}");
    assert!(private.ctl(&["version"]).await.contains(versions[0].as_str().expect("text")));
}

#[tokio::test]
async fn the_redis_of_the_run_takes_its_password() {
    let Some(server) = servers::redis() else { skip!("redis", servers::HOW) };
    assert_ne!(server.fresh_prefix(), server.fresh_prefix());
    let url = server.url();
    let password = url.split([':', '@']).nth(2).expect("a password");
    let mut client = TcpStream::connect(("127.0.0.1", server.port())).await.expect("connects");
    client.write_all(format!("AUTH {password}\r\nPING\r\n").as_bytes()).await.expect("asks");
    let mut answer = [0; 12];
    client.read_exact(&mut answer).await.expect("is answered");
    assert_eq!(&answer, b"+OK\r\n+PONG\r\n");
}

#[tokio::test]
async fn the_postgres_of_the_run_listens() {
    let Some(server) = servers::postgres() else { skip!("postgres", servers::HOW) };
    let mut client = TcpStream::connect(("127.0.0.1", server.port())).await.expect("connects");
    // `SSLRequest`: a PostgreSQL answers it with one letter.
    client.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await.expect("asks");
    assert!(matches!(client.read_u8().await.expect("is answered"), b'N' | b'S'));
    assert!(server.url("t1").ends_with("/t1") && server.admin_url().ends_with("/postgres"));
}

#[tokio::test]
async fn a_database_is_asked_and_goes() {
    let Some(server) = servers::postgres() else { skip!("postgres", servers::HOW) };
    let database = server.fresh_database().await;
    let other = server.fresh_database().await;
    assert_ne!(database.url(), other.url());
    database.ask("create table t (a text, b bigint); insert into t values ('x y', 1), (null, 2)").await;
    assert_eq!(database.ask("select a, b from t order by b").await, [["x y", "1"], ["", "2"]]);
    assert_eq!(database.count("select count(*) from t").await, 2);
    let refused = database.try_ask("select nothing_of_this_name").await.expect_err("refused");
    assert!(refused.contains("nothing_of_this_name"), "{refused}");
    assert!(other.try_ask("select 1 from t").await.is_err(), "it is its own");
    let name = database.ask("select current_database()").await[0][0].clone();
    drop(database);
    assert_eq!(other.count(&format!("select count(*) from pg_database where datname = '{name}'")).await, 0);
}

#[tokio::test]
async fn messages_that_are_looked_at_stay() {
    let Some(server) = servers::rabbitmq() else { skip!("rabbitmq", servers::HOW) };
    let vhost = server.fresh_vhost().await;
    declare(&vhost, "q", "quorum").await;
    for body in [b"a", b"b"] {
        assert!(vhost.publish_raw("", "q", body, json!({})).await, "routed");
    }
    for _ in 0..2 {
        let seen = vhost.peek("q", 10).await;
        assert_eq!(seen.iter().map(|message| message.body.as_slice()).collect::<Vec<_>>(), [b"a", b"b"]);
    }
    assert_eq!(vhost.get("q", 10).await.len(), 2);
}
