//! Workers do not keep from each other what they have no slots for.

use std::collections::{BTreeMap, BTreeSet};

use broker::{Broker, Delivery, Publisher, Subscription};
use broker_rabbitmq::QueueType;
use domain::{Emission, EmissionId, JobId, Unsent};
use testkit::{eventually, servers, within};
use tokio::time::timeout;

use crate::bench::{Bench, LONG, drain, emissions, ids, normal, queue, row};

/// The first worker runs a part of a message and is full; the rest goes to the other, under the same ledger row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rest_that_finds_no_slots_goes_to_another_worker() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    let full = bench.subscribe(Subscription::All, 10).await.expect("subscribed");
    eventually("it consumes", LONG, async || bench.vhost.consumers().await.len() == 5).await;
    bench.publish(&emissions(&normal(), 0..8, 8)).await.expect("published");
    let part = within("a part", LONG, full.take(3)).await.expect("taken");
    assert_eq!(part[0].jobs(), ids(0..3));
    let idle = bench.subscribe(Subscription::All, 10).await.expect("subscribed");
    // What is out keeps the message here, however long it takes.
    part.into_iter().for_each(Delivery::ack);
    let rest = within("the rest", LONG, idle.take(100)).await.expect("taken");
    assert_eq!(rest[0].jobs(), ids(0..8), "the claim drops what ran already");
    assert_eq!(rest[0].emissions(), [row(0)]);
    rest.into_iter().for_each(Delivery::ack);
}

/// Alone, a rest stays where it is: giving it back would only bring it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rest_stays_with_a_worker_that_is_alone() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    let only = bench.subscribe(Subscription::All, 10).await.expect("subscribed");
    bench.publish(&emissions(&normal(), 0..8, 8)).await.expect("published");
    assert_eq!(drain(&*only, 3).await, ids(0..3));
    eventually("time goes by for others", LONG, async || {
        bench.vhost.queue("flotilla.v1.q.p2").await?.messages_unacknowledged.filter(|n| *n == 1)
    })
    .await;
    assert_eq!(drain(&*only, 5).await, ids(3..8), "only the rest");
}

/// The same emission, sent twice: held once, and both are answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emission_that_was_sent_again_is_given_once_while_it_is_in_hand() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    let subscriber = bench.subscribe(Subscription::All, 10).await.expect("subscribed");
    let twice = emissions(&normal(), 0..8, 8);
    bench.publish(&twice).await.expect("published");
    let first = within("a part", LONG, subscriber.take(3)).await.expect("taken");
    bench.publish(&twice).await.expect("published again");
    bench.publish(&emissions(&normal(), 8..9, 1)).await.expect("published");
    eventually("all are here", LONG, async || bench.vhost.queue("flotilla.v1.q.p2").await?.messages_unacknowledged.filter(|n| *n == 3))
        .await;
    first.into_iter().for_each(Delivery::ack);
    let mut rest = drain(&*subscriber, 6).await;
    rest.sort();
    assert_eq!(rest, ids(3..9));
    eventually("both are answered", LONG, async || bench.vhost.queue("flotilla.v1.q.p2").await.and_then(|queue| queue.messages) == Some(0))
        .await;
}

/// A worker that is busy for long does not keep what it holds ready, whole as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_full_worker_holds_ready_goes_to_another() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    let full = bench.subscribe(Subscription::All, 10).await.expect("subscribed");
    bench.publish(&emissions(&normal(), 0..6, 1)).await.expect("published");
    eventually("it holds all", LONG, async || bench.vhost.queue("flotilla.v1.q.p2").await?.messages_unacknowledged.filter(|n| *n == 6))
        .await;
    let idle = bench.subscribe(Subscription::All, 10).await.expect("subscribed");
    let got = drain(&*idle, 1).await;
    assert_eq!(got.len(), 1);
    drop(full);
}

/// What the ledger is to send again because nobody had a slot for it.
fn replaced(bench: &Bench) -> Vec<EmissionId> {
    let of = |unsent: Unsent| match unsent {
        Unsent::Emissions(emissions) => emissions,
        Unsent::Class { .. } => Vec::new(),
    };
    std::mem::take(&mut *bench.told.doubts.lock()).into_iter().flat_map(of).collect()
}

/// Three workers with jobs that last, and a hint in the hands of each. It has been around often enough when one of them gets free.
async fn a_hint_does_not_stick_to_a_busy_worker(queue_type: QueueType) {
    let Some(bench) = Bench::with(|options| options.queue_type = queue_type).await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(bench.subscribe(Subscription::All, 1).await.expect("subscribed"));
    }
    eventually("all consume", LONG, async || bench.vhost.consumers().await.len() == 15).await;
    let all: BTreeMap<EmissionId, Emission> = emissions(&normal(), 0..6, 1).into_iter().map(|emission| (emission.id, emission)).collect();
    bench.publish(&all.values().cloned().collect::<Vec<_>>()).await.expect("published");
    let mut missing: BTreeSet<JobId> = ids(0..6).into_iter().collect();
    for worker in &workers {
        for delivery in within("one each", LONG, worker.take(1)).await.expect("taken") {
            missing.retain(|job| !delivery.jobs().contains(job));
            delivery.ack();
        }
    }
    assert_eq!(missing.len(), 3, "one is running on each");
    let mut again = Vec::new();
    // Classic queues count nothing, so that there hints go round without the ledger.
    if queue_type == QueueType::Quorum {
        eventually("the first is replaced", LONG, async || {
            again.extend(replaced(&bench));
            !again.is_empty()
        })
        .await;
    }
    // One gets free; the others go on.
    let rest = async {
        while !missing.is_empty() {
            again.extend(replaced(&bench));
            let due: Vec<Emission> = again.drain(..).map(|emission| all[&emission].clone()).collect();
            bench.publish(&due).await.expect("sent again");
            if let Ok(taken) = timeout(std::time::Duration::from_millis(200), workers[2].take(1)).await {
                for delivery in taken.expect("taken") {
                    missing.retain(|job| !delivery.jobs().contains(job));
                    delivery.ack();
                }
            }
        }
    };
    within("the rest", LONG, rest).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hint_of_a_quorum_queue_does_not_stick_to_a_busy_worker() {
    a_hint_does_not_stick_to_a_busy_worker(QueueType::Quorum).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hint_of_a_classic_queue_does_not_stick_to_a_busy_worker() {
    a_hint_does_not_stick_to_a_busy_worker(QueueType::Classic).await;
}
