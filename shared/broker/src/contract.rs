//! The contract suite of the broker: named cases over a fresh broker, run unchanged against every adapter.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::{Class, Emission, EmissionId, JobId, Priority, QueueName};

use crate::{Broker, BrokerError, Delivery, Subscriber, Subscription};

mod racing;

pub use racing::{
    a_dropped_take_loses_nothing, those_who_wait_for_something_else_keep_no_one_waiting, two_subscribers_share_without_doubling,
};

/// What an adapter's test crate provides for each case.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// A fresh broker that holds at most `class_ids_max` ids of a class, where the adapter can be told so.
    async fn broker(&self, class_ids_max: usize) -> Arc<dyn Broker>;
}

/// Instantiates every case as a test of its own: `broker::contract_suite!(EmbeddedFixture);`
#[macro_export]
macro_rules! contract_suite {
    ($fixture:expr) => {
        $crate::broker_contract_cases! { $fixture;
            what_is_published_is_taken_in_order,
            a_requeued_delivery_comes_back_first,
            a_dropped_delivery_comes_back,
            an_acked_delivery_is_gone,
            busy_classes_share_by_weight,
            a_subscriber_sees_only_its_queues,
            two_subscribers_share_without_doubling,
            a_waiting_take_is_woken,
            those_who_wait_for_something_else_keep_no_one_waiting,
            a_dropped_take_loses_nothing,
            closing_wakes_a_waiting_take,
            a_full_class_refuses_and_says_what_it_lacks,
            a_lack_that_arose_meanwhile_is_kept,
            a_declared_queue_lacks_everything_at_first,
        }
    };
}

/// One test per case; not for use outside [`contract_suite!`].
#[doc(hidden)]
#[macro_export]
macro_rules! broker_contract_cases {
    ($fixture:expr; $($case:ident,)*) => {
        mod contract {
            use super::*;
            $(
                // More than one thread, or what happens at the same time would take turns.
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
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
    broker.subscribe(Subscription::All).await.expect("subscribed")
}

async fn take(subscriber: &dyn Subscriber, ids_max: usize) -> Vec<Delivery> {
    tokio::time::timeout(Duration::from_secs(5), subscriber.take(ids_max)).await.expect("something to take").expect("taken")
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

pub async fn busy_classes_share_by_weight(f: &dyn Fixture) {
    let broker = f.broker(10_000).await;
    let subscriber = all(&*broker).await;
    for (n, priority) in (0_u128..).zip(Priority::ALL) {
        publish(&*broker, Class { queue: queue(), priority }, ids(n * 1_000..n * 1_000 + 400)).await;
    }
    let mut counts: BTreeMap<Priority, usize> = BTreeMap::new();
    for delivery in take(&*subscriber, 310).await {
        *counts.entry(delivery.class().priority).or_default() += delivery.jobs().len();
        delivery.ack();
    }
    let near = |p: &Priority| counts.get(p).is_some_and(|n| n.abs_diff(usize::try_from(p.weight()).expect("small") * 10) <= 2);
    assert!(Priority::ALL.iter().all(near), "{counts:?}");
}

pub async fn a_subscriber_sees_only_its_queues(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let other = QueueName::of("other");
    broker.declare(&[queue(), other.clone()]).await.expect("declared");
    let subscriber = broker.subscribe(Subscription::Queues(vec![other.clone()])).await.expect("subscribed");
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

/// I7: the buffer has a bound; what does not fit is asked for again, not forgotten.
pub async fn a_full_class_refuses_and_says_what_it_lacks(f: &dyn Fixture) {
    let broker = f.broker(16).await;
    let subscriber = all(&*broker).await;
    settle_lacks(&*broker).await;
    publish(&*broker, normal(), ids(0..16)).await;
    let refused = broker.publish(&[emission(normal(), ids(16..17))]).await.expect("answered");
    assert_eq!(refused, Vec::new());
    assert_eq!(broker.lacks().await.expect("answered"), Vec::new(), "no room yet");
    drain(&*subscriber, 16).await;
    let lacks = broker.lacks().await.expect("answered");
    assert_eq!(lacks.iter().map(|lack| (&lack.class, lack.room)).collect::<Vec<_>>(), vec![(&normal(), 16)]);
}

pub async fn a_lack_that_arose_meanwhile_is_kept(f: &dyn Fixture) {
    let broker = f.broker(1).await;
    let subscriber = all(&*broker).await;
    settle_lacks(&*broker).await;
    publish(&*broker, normal(), ids(0..1)).await;
    broker.publish(&[emission(normal(), ids(1..2))]).await.expect("refused");
    drain(&*subscriber, 1).await;
    let lack = broker.lacks().await.expect("answered").pop().expect("one lack");
    publish(&*broker, normal(), ids(1..2)).await;
    broker.publish(&[emission(normal(), ids(2..3))]).await.expect("refused again");
    broker.refilled(&lack).await;
    drain(&*subscriber, 1).await;
    assert_eq!(broker.lacks().await.expect("answered").len(), 1, "the second refusal is not forgotten");
}

/// I1: a broker that has just begun knows nothing, and says so.
pub async fn a_declared_queue_lacks_everything_at_first(f: &dyn Fixture) {
    let broker = f.broker(16).await;
    broker.declare(&[queue()]).await.expect("declared");
    assert_eq!(broker.lacks().await.expect("answered").len(), Priority::ALL.len());
    settle_lacks(&*broker).await;
    broker.declare(&[queue()]).await.expect("declared again");
    assert_eq!(broker.lacks().await.expect("answered"), Vec::new(), "declaring twice is harmless");
}

async fn settle_lacks(broker: &dyn Broker) {
    for lack in broker.lacks().await.expect("answered") {
        broker.refilled(&lack).await;
    }
}
