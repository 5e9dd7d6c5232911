//! Is every broker message in the ledger, from the commit that makes its jobs queued to the claim that takes them?

use std::sync::Arc;
use std::time::Duration;

use domain::bounds::{EMISSION_RETRY_AFTER, EMISSION_RETRY_MAX};
use domain::{Emission, EmissionId, JobId, NewJob, Priority};
use tokio::sync::Barrier;

use super::Fixture;
use super::bench::Bench;
use super::ending::with_callback;
use super::sample::{HOUR, LEASE_OVER, PLENTY, SECOND, a_death, a_success, class, listed, no_worker, other_queue, sorted};
use crate::{Ledger, Outstanding, WorkError};

pub fn ledger(f: &dyn Fixture) -> Arc<dyn Ledger> {
    f.ledger().expect("only engines with a ledger run these cases")
}

/// Lets so much time pass that every unconfirmed row comes up, and returns them, sorted.
pub async fn all_unconfirmed(f: &dyn Fixture) -> Vec<Emission> {
    f.advance(EMISSION_RETRY_MAX + SECOND);
    let mut emissions = ledger(f).unconfirmed(PLENTY).await.expect("takes up");
    emissions.sort_by_key(|emission| emission.id);
    emissions
}

pub fn by_id(emissions: impl IntoIterator<Item = Emission>) -> Vec<Emission> {
    let mut emissions: Vec<Emission> = emissions.into_iter().collect();
    emissions.sort_by_key(|emission| emission.id);
    emissions
}

/// Takes in one job, and returns it with the emission that lists it.
pub async fn emitted(b: &Bench, job: NewJob) -> (JobId, EmissionId) {
    let id = job.id;
    let emissions = b.enqueue(vec![job]).await.emissions;
    assert_eq!((emissions.len(), listed(&emissions)), (1, vec![id]));
    (id, emissions[0].id)
}

pub async fn outstanding(f: &dyn Fixture) -> (u64, u64) {
    let Outstanding { unconfirmed, confirmed } = ledger(f).outstanding().await.expect("counts");
    (unconfirmed, confirmed)
}

/// A batch over several classes leaves exactly the rows that its reply names, with the same jobs in each. // I16
pub async fn what_is_taken_in_has_its_rows(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let urgent = NewJob { priority: Priority::Critical, ..b.job() };
    let elsewhere = NewJob { queue: other_queue(), ..b.job() };
    let later = NewJob { run_at: Some(b.now() + HOUR), ..b.job() };
    let told = b.enqueue(vec![b.job(), urgent, b.job(), elsewhere, later]).await.emissions;
    assert_eq!(listed(&told).len(), 4, "the later one is not queued");
    assert_eq!(outstanding(f).await, (told.len() as u64, 0));
    assert_eq!(all_unconfirmed(f).await, by_id(told));
}

/// What the promoter and the releaser queue is in the ledger, also after a rescue. // I16
pub async fn what_falls_due_has_its_rows(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    b.waiting_until(b.now() + SECOND).await;
    f.advance(SECOND * 2);
    let promoted = b.promote().await.emissions;
    let parked = b.queued_many(2).await;
    b.store.park(&class(), &parked, &no_worker()).await.expect("parks");
    b.worker().await;
    let released = b.store.release(PLENTY).await.expect("releases").emissions;
    assert_eq!(listed(&released), sorted(&parked));
    let (crashed, hint) = emitted(&b, b.job()).await;
    let worker = b.worker().await;
    let claim = crate::Claim { hints: vec![hint], ..b.claim_of(worker, &[crashed]) };
    b.store.claim(&claim).await.expect("claims");
    f.advance(LEASE_OVER);
    assert_eq!(b.rescue().await.retried, 1);
    f.advance(SECOND * 10);
    let again = b.promote().await.emissions;
    assert_eq!(listed(&again), [crashed]);
    let found = all_unconfirmed(f).await;
    assert_eq!(found, by_id(promoted.into_iter().chain(released).chain(again)), "the rows of what was parked first are gone by now");
}

/// A replay and a callback are in the ledger. // I16
pub async fn what_people_and_ends_queue_has_its_rows(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running_of(with_callback(b.job())).await;
    let told = b.end(worker, &claimed, a_death()).await.emissions;
    let replayed = b.store.retry(&super::sample::operator(), claimed.id, None).await.expect("replays").emissions;
    assert_eq!((listed(&told).len(), listed(&replayed)), (1, vec![claimed.id]));
    assert_eq!(all_unconfirmed(f).await, by_id(told.into_iter().chain(replayed)));
}

/// A claim deletes the rows that it names, and no others, whatever it takes.
pub async fn a_claim_deletes_exactly_its_hints(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (first, hint) = emitted(&b, b.job()).await;
    let (second, unnamed) = emitted(&b, b.job()).await;
    let (_, third) = emitted(&b, b.job()).await;
    let claim = crate::Claim { hints: vec![hint], ..b.claim_of(b.worker().await, &[first, second]) };
    assert_eq!(b.store.claim(&claim).await.expect("claims").jobs.len(), 2);
    assert_eq!(outstanding(f).await, (2, 0), "the row that was not named stays");
    let left: Vec<EmissionId> = all_unconfirmed(f).await.iter().map(|emission| emission.id).collect();
    assert_eq!(left, [third]);
    assert_ne!(left, [unnamed]);
    assert_eq!(outstanding(f).await, (1, 0), "the row without a queued job is gone");
}

/// A worker without a live lease takes neither the jobs nor their rows.
pub async fn a_fenced_claim_leaves_the_rows(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let worker = b.worker().await;
    f.advance(LEASE_OVER);
    let (id, hint) = emitted(&b, b.job()).await;
    let claim = crate::Claim { hints: vec![hint], ..b.claim_of(worker, &[id]) };
    assert!(matches!(b.store.claim(&claim).await, Err(WorkError::Fenced)));
    assert_eq!(all_unconfirmed(f).await.len(), 1);
}

/// What the broker has not confirmed comes up 5 s after it was written, not before.
pub async fn unconfirmed_rows_come_up_after_a_while(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (id, _) = emitted(&b, b.job()).await;
    f.advance(EMISSION_RETRY_AFTER - SECOND);
    assert_eq!(ledger(f).unconfirmed(PLENTY).await.expect("takes up"), []);
    f.advance(SECOND);
    assert_eq!(listed(&ledger(f).unconfirmed(PLENTY).await.expect("takes up")), [id]);
    assert_eq!(ledger(f).unconfirmed(PLENTY).await.expect("takes up"), [], "it was put off");
}

/// Each time the wait doubles, up to a minute, and no further.
pub async fn sending_again_backs_off(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    emitted(&b, b.job()).await;
    let mut wait = EMISSION_RETRY_AFTER;
    for _ in 0..8 {
        f.advance(wait - SECOND);
        assert_eq!(ledger(f).unconfirmed(PLENTY).await.expect("takes up"), [], "not before {wait:?}");
        f.advance(SECOND);
        assert_eq!(ledger(f).unconfirmed(PLENTY).await.expect("takes up").len(), 1, "after {wait:?}");
        wait = (wait * 2).min(EMISSION_RETRY_MAX);
    }
    assert_eq!(wait, EMISSION_RETRY_MAX);
}

/// A pass takes no more than it was asked for, and the next one goes on.
pub async fn sending_again_is_bounded_and_oldest_first(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(emitted(&b, b.job()).await.0);
        f.advance(Duration::from_millis(1));
    }
    f.advance(EMISSION_RETRY_AFTER);
    let mut taken = Vec::new();
    for expected in [2, 2, 1, 0] {
        let emissions = ledger(f).unconfirmed(2).await.expect("takes up");
        assert_eq!(emissions.len(), expected);
        taken.extend(emissions.into_iter().flat_map(|emission| emission.jobs));
    }
    assert_eq!(taken, ids);
}

/// Schedulers that look at the same time share the rows out.
pub async fn concurrent_schedulers_send_different_rows(f: &mut dyn Fixture) {
    const LOOKS: usize = 6;
    let b = Bench::new(f).await;
    let ids = b.queued_many(60).await;
    f.advance(EMISSION_RETRY_AFTER);
    let barrier = Arc::new(Barrier::new(LOOKS));
    let look = |_| {
        let (ledger, barrier) = (ledger(f), Arc::clone(&barrier));
        tokio::spawn(async move {
            barrier.wait().await;
            ledger.unconfirmed(10).await.expect("takes up")
        })
    };
    let looks: Vec<_> = (0..LOOKS).map(look).collect();
    let mut taken = Vec::new();
    for look in looks {
        taken.extend(look.await.expect("no panic"));
    }
    assert_eq!(listed(&taken), ids, "each row once, none left out");
}

/// A row whose jobs are all gone from the queue is deleted when its time comes, not sent.
pub async fn rows_without_queued_jobs_go(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (cancelled, _) = emitted(&b, b.job()).await;
    let (kept, _) = emitted(&b, b.job()).await;
    b.cancel(cancelled).await.expect("cancels");
    assert_eq!(outstanding(f).await, (2, 0));
    assert_eq!(listed(&all_unconfirmed(f).await), [kept]);
    assert_eq!(outstanding(f).await, (1, 0));
}

/// What the broker has confirmed is not sent again by the clock alone.
pub async fn confirmed_rows_are_not_sent_again(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (_, sent) = emitted(&b, b.job()).await;
    let (other, _) = emitted(&b, b.job()).await;
    for _ in 0..2 {
        ledger(f).sent(&[(sent, b.now())]).await.expect("confirms");
        assert_eq!(outstanding(f).await, (1, 1));
    }
    for _ in 0..3 {
        assert_eq!(listed(&all_unconfirmed(f).await), [other]);
    }
}

/// Confirmations are late: the claim may have deleted the row.
pub async fn confirming_what_is_gone_is_no_error(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (id, hint) = emitted(&b, b.job()).await;
    let claim = crate::Claim { hints: vec![hint], ..b.claim_of(b.worker().await, &[id]) };
    let claimed = b.store.claim(&claim).await.expect("claims").jobs.remove(0);
    ledger(f).sent(&[(hint, b.now()), (b.mint.emission(b.now()), b.now())]).await.expect("confirms");
    ledger(f).sent(&[]).await.expect("confirms nothing");
    assert_eq!(outstanding(f).await, (0, 0));
    b.end(claim.worker, &claimed, a_success()).await;
}

/// The ledger is as durable as the jobs.
pub async fn rows_survive_a_restart(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (_, sent) = emitted(&b, b.job()).await;
    let (other, _) = emitted(&b, b.job()).await;
    ledger(f).sent(&[(sent, b.now())]).await.expect("confirms");
    f.restart().await;
    assert_eq!(outstanding(f).await, (1, 1));
    assert_eq!(listed(&all_unconfirmed(f).await), [other]);
}
