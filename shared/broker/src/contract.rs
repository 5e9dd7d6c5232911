//! The contract suite of the broker: named cases over a fresh broker, run unchanged against every adapter.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::{Class, DeadNotice, Emission, EmissionId, JobId, KindName, Priority, QueueName, Timestamp};

use crate::{Broker, BrokerError, Delivery, Subscriber, Subscription};

mod in_process;
mod ledger;
mod racing;

pub use in_process::{
    a_declared_queue_lacks_everything_at_first, a_dropped_take_wakes_another, a_full_class_refuses_and_says_what_it_lacks,
    a_lack_that_arose_meanwhile_is_kept,
};
pub use ledger::{
    marks_say_how_far_a_class_has_come, parts_that_are_handed_back_are_one_message_again, the_ledger_row_goes_with_the_last_part,
};
pub use racing::{
    a_dropped_take_loses_nothing, those_who_wait_for_something_else_keep_no_one_waiting, two_subscribers_share_without_doubling,
};

/// What an adapter's test crate provides for each case.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// A fresh broker, ready to take emissions, that holds at most `class_ids_max` ids of a class, where the adapter can be told so.
    async fn broker(&self, class_ids_max: usize) -> Arc<dyn Broker>;
}

/// Instantiates every case that all brokers keep, each as a test of its own: `broker::contract_suite!(EmbeddedFixture);`
///
/// A block after the fixture runs at the start of each test, and may return from it: for brokers that may not be there.
#[macro_export]
macro_rules! contract_suite {
    ($fixture:expr) => {
        $crate::contract_suite!($fixture, {});
    };
    ($fixture:expr, $before:block) => {
        $crate::broker_contract_cases! { contract, $fixture, $before;
            what_is_published_is_taken_in_order,
            a_requeued_delivery_comes_back_first,
            a_dropped_delivery_comes_back,
            an_acked_delivery_is_gone,
            a_message_that_is_taken_in_parts_is_each_id_once,
            busy_classes_share_by_weight,
            a_subscriber_sees_only_its_queues,
            a_queue_that_is_declared_later_is_seen,
            two_subscribers_share_without_doubling,
            a_waiting_take_is_woken,
            those_who_wait_for_something_else_keep_no_one_waiting,
            a_dropped_take_loses_nothing,
            closing_wakes_a_waiting_take,
            what_was_not_answered_goes_to_another_subscriber,
            declaring_twice_is_harmless,
            deaths_are_announced,
        }
    };
}

/// What only a broker inside this process promises: it holds everything, so it knows what it lacks, and all subscribers draw
/// from one buffer.
#[macro_export]
macro_rules! in_process_suite {
    ($fixture:expr) => {
        $crate::in_process_suite!($fixture, {});
    };
    ($fixture:expr, $before:block) => {
        $crate::broker_contract_cases! { in_process, $fixture, $before;
            a_dropped_take_wakes_another,
            a_full_class_refuses_and_says_what_it_lacks,
            a_lack_that_arose_meanwhile_is_kept,
            a_declared_queue_lacks_everything_at_first,
        }
    };
}

/// What only a broker with a ledger promises.
#[macro_export]
macro_rules! ledger_suite {
    ($fixture:expr) => {
        $crate::ledger_suite!($fixture, {});
    };
    ($fixture:expr, $before:block) => {
        $crate::broker_contract_cases! { ledger, $fixture, $before;
            the_ledger_row_goes_with_the_last_part,
            parts_that_are_handed_back_are_one_message_again,
            marks_say_how_far_a_class_has_come,
        }
    };
}

/// One test per case; not for use outside the suites.
#[doc(hidden)]
#[macro_export]
macro_rules! broker_contract_cases {
    ($suite:ident, $fixture:expr, $before:block; $($case:ident,)*) => {
        mod $suite {
            use super::*;
            $(
                // More than one thread, or what happens at the same time would take turns.
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    $before
                    let case = $crate::contract::$case(&$fixture);
                    tokio::time::timeout(std::time::Duration::from_secs(30), case).await.expect("the case must end within 30 s");
                }
            )*
        }
    };
}

fn queue() -> QueueName {
    QueueName::of("q")
}

fn normal() -> Class {
    Class { queue: queue(), priority: Priority::Normal }
}

fn ids(range: std::ops::Range<u128>) -> Vec<JobId> {
    range.map(|n| JobId::from_bytes(n.to_be_bytes())).collect()
}

fn emission(class: Class, jobs: Vec<JobId>) -> Emission {
    let id = EmissionId::from_bytes(*jobs.first().expect("an emission lists jobs").as_bytes());
    Emission { id, class, jobs }
}

async fn publish(broker: &dyn Broker, class: Class, jobs: Vec<JobId>) {
    let emissions: Vec<_> = jobs.chunks(8).map(|jobs| emission(class.clone(), jobs.to_vec())).collect();
    let taken = broker.publish(&emissions).await.expect("published");
    assert_eq!(taken.len(), emissions.len(), "all taken");
}

async fn all(broker: &dyn Broker) -> Box<dyn Subscriber> {
    broker.declare(&[queue()]).await.expect("declared");
    broker.subscribe(Subscription::All, 10).await.expect("subscribed")
}

async fn take(subscriber: &dyn Subscriber, ids_max: usize) -> Vec<Delivery> {
    take_of(subscriber.take(ids_max)).await
}

async fn take_of(take: impl Future<Output = Result<Vec<Delivery>, BrokerError>>) -> Vec<Delivery> {
    tokio::time::timeout(Duration::from_secs(10), take).await.expect("something to take").expect("taken")
}

/// Takes until `n` ids are here, acking all.
async fn drain(subscriber: &dyn Subscriber, n: usize) -> Vec<JobId> {
    let mut got = Vec::new();
    while got.len() < n {
        for delivery in take(subscriber, n - got.len()).await {
            got.extend_from_slice(delivery.jobs());
            delivery.ack();
        }
    }
    got
}

pub async fn what_is_published_is_taken_in_order(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let subscriber = all(&*broker).await;
    publish(&*broker, normal(), ids(0..100)).await;
    assert_eq!(drain(&*subscriber, 100).await, ids(0..100));
}

pub async fn a_requeued_delivery_comes_back_first(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let subscriber = all(&*broker).await;
    publish(&*broker, normal(), ids(0..10)).await;
    take(&*subscriber, 3).await.into_iter().for_each(Delivery::requeue);
    assert_eq!(drain(&*subscriber, 10).await, ids(0..10));
}

/// I4: an early return strands nothing.
pub async fn a_dropped_delivery_comes_back(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let subscriber = all(&*broker).await;
    publish(&*broker, normal(), ids(0..4)).await;
    drop(take(&*subscriber, 4).await);
    assert_eq!(drain(&*subscriber, 4).await, ids(0..4));
}

pub async fn an_acked_delivery_is_gone(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let subscriber = all(&*broker).await;
    publish(&*broker, normal(), ids(0..2)).await;
    take(&*subscriber, 1).await.into_iter().for_each(Delivery::ack);
    assert_eq!(drain(&*subscriber, 1).await, ids(1..2));
}

/// What is split for want of slots is neither lost nor doubled.
pub async fn a_message_that_is_taken_in_parts_is_each_id_once(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let subscriber = all(&*broker).await;
    publish(&*broker, normal(), ids(0..24)).await;
    let mut got = Vec::new();
    for bite in [3, 1, 7, 2, 5, 6] {
        got.extend(drain(&*subscriber, bite).await);
    }
    assert_eq!(got, ids(0..24));
}

pub async fn busy_classes_share_by_weight(f: &dyn Fixture) {
    let broker = f.broker(10_000).await;
    broker.declare(&[queue()]).await.expect("declared");
    let subscriber = broker.subscribe(Subscription::All, 1_000).await.expect("subscribed");
    for (n, priority) in (0_u128..).zip(Priority::ALL) {
        publish(&*broker, Class { queue: queue(), priority }, ids(n * 1_000..n * 1_000 + 400)).await;
    }
    // Shares are of what is here, so everything has to be: what is dropped comes back.
    while take(&*subscriber, 10_000).await.iter().map(|delivery| delivery.jobs().len()).sum::<usize>() < 2_000 {
        tokio::task::yield_now().await;
    }
    let mut counts: BTreeMap<Priority, usize> = BTreeMap::new();
    for delivery in take(&*subscriber, 310).await {
        *counts.entry(delivery.class().priority).or_default() += delivery.jobs().len();
        delivery.ack();
    }
    let near = |p: &Priority| counts.get(p).is_some_and(|n| n.abs_diff(usize::try_from(p.weight()).expect("small") * 10) <= 2);
    assert!(Priority::ALL.iter().all(near), "{counts:?}");
}

pub async fn a_queue_that_is_declared_later_is_seen(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let subscriber = all(&*broker).await;
    let later = Class { queue: QueueName::of("later"), priority: Priority::Low };
    broker.declare(std::slice::from_ref(&later.queue)).await.expect("declared");
    publish(&*broker, later, ids(0..3)).await;
    assert_eq!(drain(&*subscriber, 3).await, ids(0..3));
}

pub async fn a_subscriber_sees_only_its_queues(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let other = QueueName::of("other");
    broker.declare(&[queue(), other.clone()]).await.expect("declared");
    let subscriber = broker.subscribe(Subscription::Queues(vec![other.clone()]), 10).await.expect("subscribed");
    publish(&*broker, normal(), ids(0..3)).await;
    publish(&*broker, Class { queue: other, priority: Priority::Bulk }, ids(10..13)).await;
    assert_eq!(drain(&*subscriber, 3).await, ids(10..13));
}

pub async fn a_waiting_take_is_woken(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let subscriber = all(&*broker).await;
    let later = async {
        tokio::task::yield_now().await;
        publish(&*broker, normal(), ids(0..1)).await;
    };
    let (taken, ()) = tokio::join!(take(&*subscriber, 1), later);
    taken.into_iter().for_each(Delivery::ack);
}

pub async fn closing_wakes_a_waiting_take(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let subscriber = all(&*broker).await;
    let closing = async {
        tokio::task::yield_now().await;
        subscriber.close();
    };
    let (taken, ()) = tokio::join!(subscriber.take(1), closing);
    assert!(matches!(taken, Err(BrokerError::Closed)));
}

/// I4: neither what waits in a subscriber nor what is out goes with it.
pub async fn what_was_not_answered_goes_to_another_subscriber(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let first = all(&*broker).await;
    publish(&*broker, normal(), ids(0..20)).await;
    let out = take(&*first, 5).await;
    first.close();
    drop(out);
    drop(first);
    let second = all(&*broker).await;
    let mut got = drain(&*second, 20).await;
    got.sort();
    assert_eq!(got, ids(0..20));
}

pub async fn declaring_twice_is_harmless(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let subscriber = all(&*broker).await;
    publish(&*broker, normal(), ids(0..3)).await;
    broker.declare(&[queue(), queue()]).await.expect("declared again");
    assert_eq!(drain(&*subscriber, 3).await, ids(0..3));
}

/// At least once: also when it is said again.
pub async fn deaths_are_announced(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let notice = |job: &JobId| DeadNotice {
        job: *job,
        run: 3,
        queue: queue(),
        kind: KindName::of("demo.fail"),
        reason: "gave up".to_owned(),
        fingerprint: "f00d".to_owned(),
        attempts: 3,
        at: Timestamp::from_micros(1_763_640_000_000_000),
    };
    let notices: Vec<DeadNotice> = ids(0..5).iter().map(notice).collect();
    for _ in 0..2 {
        let mut told = broker.announce(&notices).await.expect("announced");
        told.sort();
        assert_eq!(told, ids(0..5));
    }
    assert_eq!(broker.announce(&[]).await.expect("nothing to say"), Vec::new());
}
