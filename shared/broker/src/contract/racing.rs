//! Cases in which things happen at the same time.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use domain::{JobId, QueueName};
use parking_lot::Mutex;
use tokio::sync::Barrier;

use super::{Fixture, all, drain, ids, normal, publish};
use crate::{Delivery, Subscriber, Subscription};

/// Both draw at the same time, in bites that do not divide what there is, while more is published.
pub async fn two_subscribers_share_without_doubling(f: &dyn Fixture) {
    const ALL: u128 = 600;
    let broker = f.broker(10_000).await;
    let subscribers: Arc<[Box<dyn Subscriber>]> = Arc::from([all(&*broker).await, all(&*broker).await]);
    let (got, start) = (Arc::<Mutex<Vec<JobId>>>::default(), Arc::new(Barrier::new(3)));
    let drawing = [0, 1].map(|n| {
        let (subscribers, got, start) = (Arc::clone(&subscribers), Arc::clone(&got), Arc::clone(&start));
        tokio::spawn(async move {
            start.wait().await;
            while let Ok(deliveries) = subscribers[n].take(7).await {
                for delivery in deliveries {
                    got.lock().extend_from_slice(delivery.jobs());
                    delivery.ack();
                }
                if got.lock().len() >= usize::try_from(ALL).expect("small") {
                    subscribers.iter().for_each(|subscriber| subscriber.close());
                }
            }
        })
    });
    publish(&*broker, normal(), ids(0..ALL / 3)).await;
    start.wait().await;
    for from in (ALL / 3..ALL).step_by(50) {
        publish(&*broker, normal(), ids(from..from + 50)).await;
    }
    for task in drawing {
        task.await.expect("it draws until the end");
    }
    let mut got = got.lock().clone();
    got.sort();
    assert_eq!(got, ids(0..ALL));
}

/// I4: wherever a waiting take is dropped - before something arrives, after it, woken or not - what arrived is still there.
pub async fn a_dropped_take_loses_nothing(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let subscriber = all(&*broker).await;
    for round in (0_u128..30).step_by(3) {
        let before = waiting(subscriber.take(1)).await;
        drop(before);
        publish(&*broker, normal(), ids(round..round + 1)).await;
        assert_eq!(drain(&*subscriber, 1).await, ids(round..round + 1), "dropped before it arrived");

        let asleep = waiting(subscriber.take(1)).await;
        publish(&*broker, normal(), ids(round + 1..round + 2)).await;
        drop(asleep);
        assert_eq!(drain(&*subscriber, 1).await, ids(round + 1..round + 2), "dropped before it woke");

        let mut awake = waiting(subscriber.take(1)).await;
        publish(&*broker, normal(), ids(round + 2..round + 3)).await;
        // What it took, if it came so far, is dropped unanswered.
        drop(poll_once(&mut awake).await);
        drop(awake);
        assert_eq!(drain(&*subscriber, 1).await, ids(round + 2..round + 3), "dropped after it woke");
    }
}

/// Who waited longest is not always who can use it.
pub async fn those_who_wait_for_something_else_keep_no_one_waiting(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let idle = QueueName::of("idle");
    broker.declare(std::slice::from_ref(&idle)).await.expect("declared");
    let elsewhere = broker.subscribe(Subscription::Queues(vec![idle]), 10).await.expect("subscribed");
    let subscriber = all(&*broker).await;
    let (first, second) = (waiting(elsewhere.take(1)).await, waiting(subscriber.take(1)).await);
    publish(&*broker, normal(), ids(0..1)).await;
    let taken = tokio::time::timeout(Duration::from_secs(5), second).await.expect("it is woken").expect("taken");
    taken.into_iter().for_each(Delivery::ack);
    drop(first);
}

/// A take that has begun and found nothing.
pub(super) async fn waiting<F: Future>(take: F) -> Pin<Box<F>> {
    let mut take = Box::pin(take);
    assert!(poll_once(&mut take).await.is_pending(), "nothing is here yet");
    take
}

async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}
