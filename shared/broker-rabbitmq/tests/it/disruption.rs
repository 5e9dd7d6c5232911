//! Connections, channels and queues that go away under load come back by themselves, and nothing is doubled that was answered.

use std::collections::BTreeSet;
use std::time::Duration;

use broker::{Broker, Publisher, Subscriber, Subscription};
use domain::{JobId, Priority};
use testkit::servers::{self, PrivateRabbit, Stop};
use testkit::{eventually, within};
use tokio::time::{Instant, timeout};

use crate::bench::{Bench, LONG, drain, emissions, ids, normal, options, queue, row};

const HINTS: &str = "flotilla.v1.q.p2";

/// Sends again what is not confirmed in time, as the ledger does, until all is.
async fn publish_surely(bench: &Bench, range: std::ops::Range<u128>) {
    let all = emissions(&normal(), range, 8);
    let missing = || {
        let confirmed = bench.told.confirmed_ids();
        all.iter().filter(|emission| !confirmed.contains(&emission.id)).cloned().collect::<Vec<_>>()
    };
    let mut sent_at: Option<Instant> = None;
    eventually("all confirmed", LONG, async || {
        let missing = missing();
        if !missing.is_empty() && sent_at.is_none_or(|at| at.elapsed() > Duration::from_secs(2)) {
            let taken = bench.publish(&missing).await.expect("answered");
            sent_at = (!taken.is_empty()).then(Instant::now);
        }
        if missing.is_empty() { Ok(()) } else { Err(format!("{} of {} are missing", missing.len(), all.len())) }
    })
    .await;
}

/// Drains until nothing is left at the broker, allowing for doubles: a hint may come twice, and the claim drops the second.
async fn drain_all(bench: &Bench, subscriber: &dyn Subscriber, wanted: &[JobId]) {
    let mut missing: BTreeSet<JobId> = wanted.iter().copied().collect();
    let mut left = None;
    while !missing.is_empty() || left != Some(0) {
        if let Ok(taken) = timeout(Duration::from_millis(500), subscriber.take(100)).await {
            for delivery in taken.expect("taken") {
                delivery.jobs().iter().for_each(|job| _ = missing.remove(job));
                delivery.ack();
            }
        }
        left = bench.vhost.queue(HINTS).await.and_then(|queue| queue.messages);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_an_operator_closes_come_back() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    let subscriber = bench.subscribe(Subscription::All, 1_000).await.expect("subscribed");
    publish_surely(&bench, 0..80).await;
    let out = within("hints", LONG, subscriber.take(5)).await.expect("taken");
    eventually("both are listed and closed", LONG, async || bench.vhost.close_all_connections().await == 2).await;
    eventually("it is connected anew", LONG, async || bench.broker.health().connects == 2).await;
    // Of a connection that is gone: the broker offers it again.
    out.into_iter().for_each(broker::Delivery::ack);
    publish_surely(&bench, 80..160).await;
    within("everything", LONG, drain_all(&bench, &*subscriber, &ids(0..160))).await;
    assert_eq!(bench.told.lost().len(), Priority::ALL.len(), "only when they were made: {:?}", bench.told.lost());
}

/// The consumer is told, the queue is made anew, the ledger hears of it, and the other classes do not notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_deleted_under_its_consumer_is_made_anew() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    let subscriber = bench.subscribe(Subscription::All, 10).await.expect("subscribed");
    publish_surely(&bench, 0..8).await;
    assert_eq!(drain(&*subscriber, 8).await, ids(0..8));
    bench.told.forget();
    assert!(bench.vhost.delete_queue(HINTS).await);
    eventually("the ledger hears of it", LONG, async || bench.told.lost().contains(&normal())).await;
    assert!(bench.told.lost().iter().all(|class| *class == normal()), "{:?}", bench.told.lost());
    publish_surely(&bench, 8..16).await;
    assert_eq!(drain(&*subscriber, 8).await, ids(8..16));
    assert_eq!(bench.broker.health().connects, 1, "no reason to connect anew");
}

/// Nobody consumes here: the producer itself finds out, because its message comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_for_a_queue_that_is_gone_is_not_confirmed() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    bench.told.forget();
    assert!(bench.vhost.delete_queue(HINTS).await);
    bench.publish(&emissions(&normal(), 0..1, 1)).await.expect("taken");
    eventually("the ledger hears of the loss", LONG, async || bench.told.lost() == [normal()]).await;
    publish_surely(&bench, 1..9).await;
    assert!(!bench.told.confirmed_ids().contains(&row(0)), "it came back");
    assert_eq!(bench.vhost.get(HINTS, 9).await.len(), 1, "only what was sent after");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_restarts_keeps_what_it_confirmed() {
    let Some(server) = PrivateRabbit::start().await else { testkit::skip!("rabbitmq", servers::HOW) };
    let vhost = server.server().fresh_vhost().await;
    let told = std::sync::Arc::default();
    let broker = broker_rabbitmq::RabbitBroker::open(options(vhost.url(), &told)).expect("a good URL");
    let bench = Bench { broker, told, vhost };
    bench.declare(&[queue()]).await.expect("declared");
    publish_surely(&bench, 0..40).await;
    bench.told.forget();
    server.stop(Stop::AtOnce).await;
    eventually("it notices", LONG, async || !bench.broker.health().connected).await;
    assert_eq!(bench.publish(&emissions(&normal(), 900..901, 1)).await.expect("answered"), [], "nothing is taken");
    assert!(bench.broker.health().last_error.is_some());
    let subscriber = bench.subscribe(Subscription::All, 10).await.expect("subscribes to a broker that is away");
    server.restart().await;
    publish_surely(&bench, 40..80).await;
    within("everything", LONG, drain_all(&bench, &*subscriber, &ids(0..80))).await;
    assert_eq!(bench.told.lost(), [], "all its queues were still there");
}
