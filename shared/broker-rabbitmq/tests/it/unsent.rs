//! What the ledger is told: confirmations at the time of publishing, queues that ran empty, and nothing that is not so.

use std::time::Duration;

use broker::Publisher;
use domain::bounds::RABBIT_OUTBOX_MAX;
use domain::{Doubt, Priority, Unsent};
use testkit::{eventually, servers};

use crate::bench::{Bench, LONG, emissions, normal, now, queue, row};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confirmations_carry_the_time_of_publishing() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    let before = now();
    bench.publish(&emissions(&normal(), 0..3, 1)).await.expect("published");
    eventually("confirmed", LONG, async || bench.told.confirmed_ids().len() == 3).await;
    let after = now();
    let message = bench.vhost.get("flotilla.v1.q.p2", 1).await.pop().expect("a message");
    let confirmed = bench.told.confirmed.lock().clone();
    let (_, at) = confirmed.iter().find(|(emission, _)| *emission == row(0)).expect("it was confirmed");
    assert!(before <= *at && *at <= after);
    assert_eq!(message.properties["headers"]["published_at"], at.micros(), "the hint says the same");
    assert_eq!(message.properties["message_id"], row(0).to_string());
}

/// I7: more than fits is refused, not queued.
#[tokio::test(flavor = "current_thread")]
async fn what_does_not_fit_is_not_taken() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    // On one thread nothing is sent between these two: they are polled one after the other before anything else is.
    let (many, one) = (emissions(&normal(), 0..6_000, 1), emissions(&normal(), 6_000..6_001, 1));
    let (taken, refused) = tokio::join!(bench.publish(&many), bench.publish(&one));
    assert_eq!(taken.expect("answered").len(), RABBIT_OUTBOX_MAX);
    assert_eq!(refused.expect("answered"), []);
    eventually("what was taken is confirmed", LONG, async || bench.told.confirmed_ids().len() == RABBIT_OUTBOX_MAX).await;
    assert_eq!(bench.publish(&emissions(&normal(), 6_000..6_001, 1)).await.expect("answered"), [row(6_000)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_sends_what_waits() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    bench.publish(&emissions(&normal(), 0..2_000, 1)).await.expect("published");
    testkit::within("it closes", Duration::from_secs(5), bench.broker.close()).await;
    assert_eq!(bench.told.confirmed_ids().len(), 2_000);
    assert!(!bench.broker.health().connected);
    assert_eq!(bench.publish(&emissions(&normal(), 0..1, 1)).await.expect("answered"), []);
    eventually("no connection is left", LONG, async || bench.vhost.connections().await.is_empty()).await;
}

/// An empty queue may have lost everything: two looks, 15 s apart, and the ledger is told what was published before the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn classes_that_stay_empty_are_told_of() {
    let Some(bench) = Bench::with(|options| options.watches = true).await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    bench.publish(&emissions(&normal(), 0..1, 1)).await.expect("published");
    eventually("it is there", LONG, async || bench.told.confirmed_ids().len() == 1).await;
    let all_but_one = Priority::ALL.len() - 1;
    let drained = || {
        let drained = |unsent: &Unsent| match unsent {
            Unsent::Class { class, doubt: Doubt::Drained { before } } => Some((class.clone(), *before)),
            Unsent::Class { doubt: Doubt::Lost { .. }, .. } | Unsent::Emissions(_) => None,
        };
        bench.told.doubts.lock().iter().filter_map(drained).collect::<Vec<_>>()
    };
    eventually("the empty ones are told of", LONG, async || drained().len() >= all_but_one).await;
    assert!(drained().iter().all(|(class, before)| *class != normal() && *before <= now() - Duration::from_secs(14)), "{:?}", drained());
}
