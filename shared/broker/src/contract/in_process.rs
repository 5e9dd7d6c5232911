//! Cases of a broker that is inside this process: what it does not hold it says it lacks, and nobody holds anything back from others.

use domain::Priority;

use super::racing::waiting;
use super::{Fixture, all, drain, emission, ids, normal, publish, queue, take_of};
use crate::{Broker, Delivery};

/// I4: whoever was woken and then dropped does not keep it from another who waits.
pub async fn a_dropped_take_wakes_another(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let (subscriber, other) = (all(&*broker).await, all(&*broker).await);
    for n in 0_u128..10 {
        let (first, second) = (waiting(subscriber.take(1)).await, waiting(other.take(1)).await);
        publish(&*broker, normal(), ids(n..n + 1)).await;
        drop(first);
        let taken = take_of(second).await;
        assert_eq!(taken.iter().flat_map(Delivery::jobs).copied().collect::<Vec<_>>(), ids(n..n + 1));
        taken.into_iter().for_each(Delivery::ack);
    }
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
