//! How many messages are held ready follows the pace, on the running consumer's channel, and loses nothing on the way.

use std::time::Duration;

use broker::{Broker, Publisher, Subscription};
use domain::Pace;
use testkit::{eventually, servers};

use crate::bench::{Bench, LONG, drain, emissions, ids, normal, queue};

async fn prefetch(bench: &Bench) -> Vec<u64> {
    let consumers = bench.vhost.consumers().await;
    consumers.into_iter().filter(|consumer| consumer.queue == "flotilla.v1.q.p2").map(|consumer| consumer.prefetch).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_pace_changes_the_prefetch() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    let subscriber = bench.subscribe(Subscription::All, 10).await.expect("subscribed");
    eventually("one consumer with the first guess", LONG, async || prefetch(&bench).await == [10]).await;
    bench.publish(&emissions(&normal(), 0..200, 1)).await.expect("published");
    let before = drain(&*subscriber, 3).await;
    // Slow jobs: only one is held ready.
    subscriber.pace(&Pace { queue: queue(), mean: Some(Duration::from_secs(5)), slots: 10 });
    eventually("one consumer, one message", LONG, async || prefetch(&bench).await == [1]).await;
    let between = drain(&*subscriber, 60).await;
    // A little faster is no reason to change anything; much faster is.
    subscriber.pace(&Pace { queue: queue(), mean: Some(Duration::from_micros(10)), slots: 10 });
    eventually("one consumer, many messages", LONG, async || prefetch(&bench).await == [128]).await;
    let after = drain(&*subscriber, 137).await;
    assert_eq!([before, between, after].concat(), ids(0..200), "in order, each once");
    assert_eq!(bench.broker.health().connects, 1);
}
