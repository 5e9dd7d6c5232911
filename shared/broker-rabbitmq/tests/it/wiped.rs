//! A broker that lost all its data: everything is made anew, and the ledger is told of every class.

use std::collections::BTreeSet;
use std::sync::Arc;

use broker::{Broker, Publisher, Subscription};
use broker_rabbitmq::RabbitBroker;
use domain::{Class, Doubt, Priority, QueueName, Unsent};
use testkit::eventually;
use testkit::servers::{self, PrivateRabbit};

use crate::bench::{LONG, Told, drain, emissions, ids, normal, now, options, queue};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_class_is_reported_lost() {
    let Some(server) = PrivateRabbit::start().await else { testkit::skip!("rabbitmq", servers::HOW) };
    let told = Arc::<Told>::default();
    let broker = RabbitBroker::open(options(server.url(), &told)).expect("a good URL");
    let other = QueueName::of("other");
    broker.declare(&[queue(), other.clone()]).await.expect("declared");
    let subscriber = broker.subscribe(Subscription::All, 10).await.expect("subscribed");
    broker.publish(&emissions(&normal(), 0..100, 1)).await.expect("published");
    eventually("all confirmed", LONG, async || told.confirmed_ids().len() == 100).await;
    told.forget();
    let wiped_at = now();
    server.wipe_and_start().await;

    let all: BTreeSet<Class> =
        [queue(), other].iter().flat_map(|queue| Priority::ALL.map(|priority| Class { queue: queue.clone(), priority })).collect();
    eventually("every class is told of", LONG, async || {
        let lost: BTreeSet<Class> = told.lost().into_iter().collect();
        if lost == all { Ok(()) } else { Err(format!("told of {lost:?}")) }
    })
    .await;
    for unsent in told.doubts.lock().iter() {
        let Unsent::Class { doubt: Doubt::Lost { before }, .. } = unsent else { panic!("{unsent:?}") };
        assert!(*before > wiped_at, "everything published up to the wipe is before it");
    }
    // What the ledger then sends again is received, by consumers that came back by themselves.
    let again = emissions(&normal(), 0..50, 1);
    eventually("sent again", LONG, async || broker.publish(&again).await.expect("answered").len() == again.len()).await;
    let mut got = drain(&*subscriber, 50).await;
    got.sort();
    assert_eq!(got, ids(0..50));
    broker.close().await;
}
