//! A broker in a memory alarm takes nothing: it is told to operators, nothing is taken from callers, and it passes.

use std::sync::Arc;

use broker::{Broker, Publisher, Subscription};
use broker_rabbitmq::{QueueType, RabbitBroker, check};
use testkit::eventually;
use testkit::servers::{self, PrivateRabbit};

use crate::bench::{LONG, Told, drain, emissions, ids, normal, options, queue};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alarm_stops_publishing_and_passes() {
    let Some(server) = PrivateRabbit::start().await else { testkit::skip!("rabbitmq", servers::HOW) };
    let told = Arc::<Told>::default();
    let broker = RabbitBroker::open(options(server.url(), &told)).expect("a good URL");
    broker.declare(&[queue()]).await.expect("declared");
    broker.publish(&emissions(&normal(), 0..10, 1)).await.expect("published");
    eventually("all confirmed", LONG, async || told.confirmed_ids().len() == 10).await;

    server.ctl(&["set_vm_memory_high_watermark", "0"]).await;
    // The broker says so when something is sent to it.
    let mut next = 10;
    eventually("it says that it is blocked", LONG, async || {
        next += 1;
        broker.publish(&emissions(&normal(), next - 1..next, 1)).await.expect("answered");
        broker.health().blocked.is_some()
    })
    .await;
    assert_eq!(broker.publish(&emissions(&normal(), 900..901, 1)).await.expect("answered"), [], "nothing is taken");
    assert!(broker.health().connected, "blocked is not gone");
    let found = check(&server.url(), None, QueueType::Quorum, &[queue()]).await.expect("it answers");
    assert_eq!((found.takes_messages, found.forbidden), (Some(false), None));
    // Receiving goes on: an alarm is no reason to let jobs wait.
    let subscriber = broker.subscribe(Subscription::All, 10).await.expect("subscribed");
    assert_eq!(drain(&*subscriber, 10).await, ids(0..10));

    server.ctl(&["set_vm_memory_high_watermark", "0.6"]).await;
    eventually("it passes", LONG, async || broker.health().blocked.is_none()).await;
    eventually("it takes again", LONG, async || !broker.publish(&emissions(&normal(), 950..951, 1)).await.expect("answered").is_empty())
        .await;
    eventually("and confirms", LONG, async || told.confirmed_ids().contains(&crate::bench::row(950))).await;
    broker.close().await;
}
