//! Cases of a broker with a ledger: a row goes when all its ids are claimed, and how far a class has come can be told.

use domain::{EmissionId, JobId};

use super::{Fixture, all, ids, normal, publish, take};
use crate::Delivery;

/// The id of the emission that [`publish`] makes of eight ids from `first` on.
fn row(first: u128) -> EmissionId {
    EmissionId::from_bytes(first.to_be_bytes())
}

fn shown(deliveries: &[Delivery]) -> Vec<(&[JobId], &[EmissionId])> {
    deliveries.iter().map(|delivery| (delivery.jobs(), delivery.emissions())).collect()
}

/// I16: a claim deletes the rows of its hints, so a row must not come with ids while others of it are unclaimed.
pub async fn the_ledger_row_goes_with_the_last_part(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let subscriber = all(&*broker).await;
    publish(&*broker, normal(), ids(0..8)).await;
    let first = take(&*subscriber, 5).await;
    assert_eq!(shown(&first), [(&*ids(0..5), &[][..])]);
    // The last id waits for the answer to the first part, however many there is room for.
    let second = take(&*subscriber, 100).await;
    assert_eq!(shown(&second), [(&*ids(5..7), &[][..])]);
    first.into_iter().for_each(Delivery::ack);
    second.into_iter().for_each(Delivery::ack);
    let last = take(&*subscriber, 100).await;
    assert_eq!(shown(&last), [(&*ids(7..8), &[row(0)][..])]);
    last.into_iter().for_each(Delivery::ack);
}

pub async fn parts_that_are_handed_back_are_one_message_again(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let subscriber = all(&*broker).await;
    publish(&*broker, normal(), ids(0..8)).await;
    let (first, second) = (take(&*subscriber, 3).await, take(&*subscriber, 3).await);
    second.into_iter().for_each(Delivery::requeue);
    drop(first);
    let whole = take(&*subscriber, 100).await;
    assert_eq!(shown(&whole), [(&*ids(0..8), &[row(0)][..])]);
    whole.into_iter().for_each(Delivery::ack);
}

/// Reconciliation compares these with the ledger: too high, and it sends again what is in hand; too low, and it never does.
pub async fn marks_say_how_far_a_class_has_come(f: &dyn Fixture) {
    let broker = f.broker(1_000).await;
    let subscriber = all(&*broker).await;
    assert_eq!(subscriber.marks(), Vec::new());
    publish(&*broker, normal(), ids(0..1)).await;
    let first = take(&*subscriber, 1).await;
    let held = subscriber.marks().pop().expect("one class");
    assert_eq!((&held.class, held.claimed_until), (&normal(), None));
    let published = held.held_since.expect("it is in hand");
    publish(&*broker, normal(), ids(1..2)).await;
    let second = take(&*subscriber, 1).await;
    assert_eq!(subscriber.marks().pop().expect("one class").held_since, Some(published), "the oldest in hand");
    first.into_iter().for_each(Delivery::ack);
    let after = subscriber.marks().pop().expect("one class");
    assert_eq!(after.claimed_until, Some(published));
    assert!(after.held_since > Some(published), "{after:?}");
    second.into_iter().for_each(Delivery::ack);
    let end = subscriber.marks().pop().expect("one class");
    assert_eq!((end.claimed_until, end.held_since), (after.held_since, None));
}
