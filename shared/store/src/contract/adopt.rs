//! How does a worker find out what a claim took whose reply it never saw?

use std::sync::Arc;

use domain::{ClaimedJob, JobId, JobState};

use super::Fixture;
use super::bench::Bench;
use super::sample::{LEASE_OVER, a_success, tenant};

fn ids(claimed: &[ClaimedJob]) -> Vec<JobId> {
    claimed.iter().map(|job| job.id).collect()
}

/// A claim whose reply was lost is adopted: exactly what it took, as the reply would have told it. // I3
pub async fn a_lost_claim_is_adopted(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, other) = (b.worker().await, b.worker().await);
    let jobs = b.queued_many(3).await;
    b.take(other, jobs[1]).await;
    let claim = b.claim_of(worker, &jobs);
    let told = b.store.claim(&claim).await.expect("claims").jobs;
    let mut adopted = b.store.adopt(worker, claim.id).await.expect("adopts");
    adopted.sort_by_key(|job| job.id);
    assert_eq!(adopted, told);
    assert_eq!(ids(&adopted), [jobs[0], jobs[2]]);
    assert_eq!(b.store.adopt(worker, b.mint.claim(b.now())).await.expect("looks"), [], "a claim that was never made");
}

/// Adopting tells of cancels asked for meanwhile, leaves out what has ended, and gives strangers nothing.
pub async fn adopting_tells_the_present(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, other) = (b.worker().await, b.worker().await);
    let jobs = b.queued_many(2).await;
    let claim = b.claim_of(worker, &jobs);
    let claimed = b.store.claim(&claim).await.expect("claims").jobs;
    b.end(worker, &claimed[0], a_success()).await;
    b.cancel(jobs[1]).await.expect("asks");
    let adopted = b.store.adopt(worker, claim.id).await.expect("adopts");
    assert_eq!((ids(&adopted), adopted[0].cancel_requested), (vec![jobs[1]], true));
    assert_eq!(b.store.adopt(other, claim.id).await.unwrap_or_default(), [], "another worker's claim");
}

/// A claim that was rescued from is not adopted any more.
pub async fn a_rescued_claim_is_not_adopted(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    f.advance(LEASE_OVER);
    b.rescue().await;
    assert_eq!(b.store.adopt(worker, claimed.claim).await.unwrap_or_default(), []);
}

/// A claim whose future is dropped took all it could or nothing, and adopting tells which.
pub async fn a_dropped_claim_is_whole_or_nothing(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let worker = b.worker().await;
    for round in 0..24 {
        let jobs = b.queued_many(4).await;
        let claim = b.claim_of(worker, &jobs);
        let (store, asked) = (Arc::clone(&b.store), claim.clone());
        let call = tokio::spawn(async move { store.claim(&asked).await });
        for _ in 0..round % 6 {
            tokio::task::yield_now().await;
        }
        call.abort();
        drop(call.await);
        let running = |jobs: Vec<domain::Job>| jobs.iter().filter(|job| job.state == JobState::Running).count();
        let adopted = b.store.adopt(worker, claim.id).await.expect("adopts").len();
        assert!(adopted == 0 || adopted == jobs.len(), "half of a claim: {adopted} of {}", jobs.len());
        let seen = running(b.store.jobs_by_id(&tenant(), &jobs).await.expect("reads"));
        assert!(seen == 0 || seen == jobs.len(), "half of a claim: {seen} of {}", jobs.len());
    }
}
