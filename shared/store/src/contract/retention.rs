//! What does the store forget, and when? Only what has ended, only when its time is over.

use domain::bounds::{AUDIT_KEPT, DEAD_KEPT, STOPPED_KEPT, SUCCEEDED_KEPT};
use domain::{JobId, JobState, NewJob};

use super::Fixture;
use super::bench::{Bench, settlement};
use super::ending::Ending;
use super::sample::{DAY, HOUR, PLENTY, a_success, class, idempotency, kind, no_worker, operator, tenant, unique};
use crate::{Acceptance, Accepted, Retained, Retention, Settlement};

async fn retain(b: &Bench) -> Retained {
    b.store.retain(&Retention::default(), PLENTY).await.expect("retains")
}

/// Passes until nothing more is deleted; returns how many jobs went.
async fn retain_all(b: &Bench) -> usize {
    let mut jobs = 0;
    for _ in 0..50 {
        let pass = retain(b).await;
        jobs += pass.jobs;
        if pass == Retained::default() {
            return jobs;
        }
    }
    panic!("retention never ends");
}

/// Ended jobs are kept by the way they ended: succeeded a day, stopped a week, dead a month.
pub async fn ended_jobs_are_kept_as_long_as_promised(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let mut jobs: Vec<(JobId, JobState)> = Vec::new();
    for ending in Ending::ALL {
        jobs.push((ending.reach(&b, f, b.job()).await.0, ending.state()));
    }
    let started = b.now();
    assert_eq!(retain(&b).await.jobs, 0, "all are young");
    for kept in [SUCCEEDED_KEPT, STOPPED_KEPT, DEAD_KEPT] {
        f.advance((started + kept).since(b.now()).saturating_sub(HOUR));
        retain_all(&b).await;
        check(&b, &jobs, kept.saturating_sub(HOUR)).await;
        f.advance(HOUR * 2);
        retain_all(&b).await;
        check(&b, &jobs, kept + HOUR).await;
    }
}

/// Exactly those of `jobs` are there that are kept longer than `age`.
async fn check(b: &Bench, jobs: &[(JobId, JobState)], age: std::time::Duration) {
    for (id, state) in jobs {
        let kept = match state {
            JobState::Succeeded => SUCCEEDED_KEPT,
            JobState::Dead => DEAD_KEPT,
            JobState::Cancelled | JobState::Expired => STOPPED_KEPT,
            JobState::Waiting | JobState::Queued | JobState::Running => panic!("{id} has not ended"),
        };
        assert_eq!(b.find(*id).await.is_some(), age < kept, "{id}, {state}, after {age:?}");
    }
}

/// A live job is never deleted, however old it is. // I14
pub async fn live_jobs_are_never_deleted(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (queued, parked) = (b.queued().await, b.queued().await);
    b.store.park(&class(), &[parked], &no_worker()).await.expect("parks");
    let waiting = b.waiting_until(b.now() + DAY * 300).await;
    let (worker, running) = b.running().await;
    f.advance(DAY * 200);
    assert_eq!(retain_all(&b).await, 0);
    for (id, state) in [(queued, JobState::Queued), (parked, JobState::Waiting), (waiting, JobState::Waiting)] {
        assert_eq!(b.state(id).await, state);
    }
    b.end(worker, &running, a_success()).await;
    b.let_it_fall_due(f, waiting).await;
    b.worker_for(&[kind()]).await;
    assert_eq!(b.release().await, [parked]);
}

/// Retention counts from a job's end, not from its submission.
pub async fn retention_counts_from_the_end(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.queued().await;
    f.advance(DAY * 40);
    let worker = b.worker().await;
    let claimed = b.take(worker, id).await;
    b.end(worker, &claimed, a_success()).await;
    f.advance(SUCCEEDED_KEPT - HOUR);
    assert_eq!(retain_all(&b).await, 0);
    f.advance(HOUR * 2);
    assert_eq!(retain_all(&b).await, 1);
    assert_eq!(b.find(id).await, None);
}

/// A replayed job is live again: its old end does not count.
pub async fn a_replayed_job_is_kept(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (id, _) = Ending::Dead.reach(&b, f, b.job()).await;
    b.replay(id).await;
    f.advance(DEAD_KEPT * 2);
    assert_eq!(retain_all(&b).await, 0);
    assert_eq!(b.state(id).await, JobState::Queued);
}

/// With a job goes all that belongs to it.
pub async fn what_belongs_to_a_job_goes_with_it(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let end = Settlement { output: Some("text".to_owned()), ..settlement(&claimed, a_success()) };
    b.store.settle(worker, &[end]).await.expect("settles");
    f.advance(SUCCEEDED_KEPT + HOUR);
    assert_eq!(retain_all(&b).await, 1);
    let id = claimed.id;
    assert_eq!(b.find(id).await, None);
    assert_eq!(b.store.timeline(&tenant(), id).await.expect("reads"), []);
    assert_eq!(b.store.logs(&tenant(), id).await.expect("reads"), []);
    assert!(matches!(b.store.retry(&operator(), id, None).await, Err(crate::ActError::NotFound)));
    assert_eq!(b.settle(worker, &claimed, a_success()).await.lost, [(id, 1)]);
}

/// A remembered key finds its job: as long as one that is open names a job, that job is kept, whatever its retention.
pub async fn a_job_is_kept_as_long_as_a_key_names_it(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let windowed = |key| NewJob { unique: unique(key, Some(DAY * 5)), ..b.job() };
    let (worker, first) = b.running_of(windowed("u")).await;
    b.end(worker, &first, a_success()).await;
    let (worker, plain) = b.running().await;
    b.end(worker, &plain, a_success()).await;
    f.advance(DAY * 4);
    assert_eq!(retain_all(&b).await, 1);
    assert_eq!((b.find(plain.id).await, b.state(first.id).await), (None, JobState::Succeeded));
    f.advance(HOUR * 23);
    let again = NewJob { idempotency: idempotency("k", 1), ..windowed("u") };
    let conflict = Accepted { job: first.id, how: Acceptance::UniqueConflict };
    assert_eq!(b.enqueue(vec![again]).await.accepted, [conflict]);
    f.advance(HOUR * 2);
    assert_eq!(retain_all(&b).await, 0, "now the key of the one that came too late remembers it");
    f.advance(DAY);
    assert_eq!(retain_all(&b).await, 1);
}

/// Jobs that are kept for their keys do not hide those behind them from bounded passes. // I7
pub async fn what_is_kept_for_its_key_does_not_hide_the_rest(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let worker = b.worker().await;
    for n in 0..30 {
        let named = (n < 29).then(|| unique(&format!("u{n}"), Some(DAY * 9))).flatten();
        let id = b.put(NewJob { unique: named, ..b.job() }).await;
        let claimed = b.take(worker, id).await;
        b.end(worker, &claimed, a_success()).await;
    }
    f.advance(DAY * 2);
    let mut deleted = 0;
    for _ in 0..30 {
        deleted += b.store.retain(&Retention::default(), 1).await.expect("retains").jobs;
    }
    assert_eq!(deleted, 1);
}

/// A pass is bounded by its limit, and the passes together delete everything that is due. // I7, I9
pub async fn deleting_is_bounded_and_goes_on(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let worker = b.worker().await;
    for claimed in b.claim(worker, &b.queued_many(7).await).await {
        b.end(worker, &claimed, a_success()).await;
    }
    f.advance(SUCCEEDED_KEPT + HOUR);
    let mut gone = Vec::new();
    for _ in 0..10 {
        let pass = b.store.retain(&Retention::default(), 3).await.expect("retains");
        assert!(pass.jobs <= 3, "{pass:?}");
        gone.push(pass.jobs);
    }
    assert_eq!(gone.iter().sum::<usize>(), 7, "{gone:?}");
    assert_eq!(retain(&b).await, Retained::default(), "nothing is left to delete");
}

/// Audit rows are kept for more than a year, whatever became of what they tell of, and not for ever.
pub async fn audit_rows_are_kept_long_and_not_for_ever(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let rows = async || b.audit(&tenant()).await.len();
    Ending::CancelledQueued.reach(&b, f, b.job()).await;
    f.advance(AUDIT_KEPT - DAY);
    retain_all(&b).await;
    Ending::CancelledQueued.reach(&b, f, b.job()).await;
    assert_eq!(rows().await, 2);
    f.advance(DAY * 2);
    for _ in 0..3 {
        b.store.retain(&Retention::default(), 1).await.expect("retains");
    }
    assert_eq!(rows().await, 1);
}

/// Expired keys and workers long dead are forgotten; live ones are not.
pub async fn expired_keys_and_dead_workers_are_forgotten(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let job = |key: &str| NewJob { idempotency: idempotency(key, 1), ..b.job() };
    b.put(job("old")).await;
    let old = b.worker().await;
    f.advance(DAY * 60);
    b.rescue().await;
    let young = b.worker().await;
    let id = b.put(job("young")).await;
    let mut keys = 0;
    for _ in 0..5 {
        keys += retain(&b).await.keys;
    }
    assert_eq!(keys, 1);
    let keys = ["old", "young"].map(str::to_owned);
    let remembered = b.store.remembered(&tenant(), &keys).await.expect("looks up");
    assert_eq!(remembered.iter().map(|key| key.as_ref().map(|key| key.job)).collect::<Vec<_>>(), [None, Some(id)]);
    let workers: Vec<_> = b.store.workers().await.expect("lists").into_iter().map(|row| row.id).collect();
    assert!(workers.contains(&young) && !workers.contains(&old), "{workers:?}");
    b.renew(young, &[]).await.expect("the young worker lives");
}
