//! A peer that is there but silent: a half-open connection is noticed, and a handshake that never ends is given up.

use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, Publisher, Subscription};
use broker_rabbitmq::RabbitBroker;
use testkit::servers;
use testkit::{FaultProxy, Mode, eventually, measured, within};
use tokio::time::Instant;

use crate::bench::{Bench, LONG, Told, drain, emissions, ids, normal, options, queue};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_connection_is_noticed_within_30_s() {
    let Some(server) = servers::rabbitmq() else { testkit::skip!("rabbitmq", servers::HOW) };
    let vhost = server.fresh_vhost().await;
    let proxy = FaultProxy::start(server.port()).await;
    let told = Arc::<Told>::default();
    let broker = RabbitBroker::open(options(servers::through(&vhost.url(), proxy.port()), &told)).expect("a good URL");
    let bench = Bench { broker, told, vhost };
    bench.declare(&[queue()]).await.expect("declared");
    let subscriber = bench.subscribe(Subscription::All, 10).await.expect("subscribed");
    bench.publish(&emissions(&normal(), 0..4, 1)).await.expect("published");
    assert_eq!(drain(&*subscriber, 4).await, ids(0..4));

    eventually("all acked", LONG, async || bench.vhost.queue("flotilla.v1.q.p2").await?.messages.filter(|left| *left == 0)).await;
    proxy.set(Mode::HalfOpen);
    let silent_at = Instant::now();
    // What is on its way now is given up with the connection, and nobody waits for it.
    let taken = within("publishing does not wait", Duration::from_secs(1), bench.publish(&emissions(&normal(), 10..20, 1))).await;
    assert_eq!(taken.expect("answered").len(), 10);
    eventually("both notice", Duration::from_secs(30), async || {
        let health = bench.broker.health();
        if !health.connected && health.consuming == Some(false) { Ok(()) } else { Err(format!("{health:?}")) }
    })
    .await;
    measured("half-open broker", "the adapter notices", silent_at.elapsed());
    assert_eq!((bench.broker.health().unconfirmed, bench.broker.health().queued_to_send), (0, 0), "nothing is held on to");
    assert_eq!(bench.publish(&emissions(&normal(), 4..5, 1)).await.expect("answered"), [], "nothing is taken");
    // Connecting is answered by nobody as well, and is given up again and again.
    eventually("a try to connect was given up", LONG, async || {
        bench.broker.health().last_error.is_some_and(|error| error.contains("connecting"))
    })
    .await;
    proxy.set(Mode::Pass);
    eventually("it takes again", LONG, async || !bench.publish(&emissions(&normal(), 5..6, 1)).await.expect("answered").is_empty()).await;
    assert_eq!(drain(&*subscriber, 1).await, ids(5..6));
}

/// Each try to connect costs the client library a thread and a socket, which it keeps for ever when nobody answers: we end them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_never_end_leave_nothing_behind() {
    if servers::rabbitmq().is_none() {
        testkit::skip!("rabbitmq", servers::HOW);
    }
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = silent.local_addr().expect("bound").port();
    let told = Arc::<Told>::default();
    let broker = RabbitBroker::open(options(format!("amqp://127.0.0.1:{port}"), &told)).expect("a good URL");
    let (first, _) = within("a try", LONG, silent.accept()).await.expect("accepted");
    let (second, _) = within("the next try", LONG, silent.accept()).await.expect("accepted");
    // One after the other: the first was ended before the second began.
    for connection in [first, second] {
        let mut greeting = [0; 64];
        eventually("our end was closed", LONG, async || {
            connection.readable().await.expect("readable");
            match connection.try_read(&mut greeting) {
                Ok(read) => read == 0,
                Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
            }
        })
        .await;
    }
    broker.close().await;
}
