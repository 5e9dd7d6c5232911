//! When is a submission the same as an earlier one? Idempotency keys and uniqueness windows.

use std::sync::Arc;

use domain::bounds::IDEMPOTENCY_KEPT;
use domain::{JobFilter, JobId, JobState, NewJob};
use tokio::sync::Barrier;

use super::Fixture;
use super::bench::Bench;
use super::ending::Ending;
use super::sample::{HOUR, SECOND, a_success, idempotency, listed, stranger, tenant, unique};
use crate::{Acceptance, Accepted, EnqueueError, Remembered};

fn keyed(b: &Bench, key: &str, hash: u8) -> NewJob {
    NewJob { idempotency: idempotency(key, hash), ..b.job() }
}

async fn accept(b: &Bench, job: NewJob) -> Accepted {
    b.enqueue(vec![job]).await.accepted.remove(0)
}

/// The same key with the same request gives the first job, and nothing new is recorded or emitted.
pub async fn a_repeated_key_replays_the_first_job(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let first = b.put(keyed(&b, "k", 1)).await;
    let again = b.enqueue(vec![keyed(&b, "k", 1)]).await;
    assert_eq!(again.accepted, [Accepted { job: first, how: Acceptance::Replayed }]);
    assert_eq!(listed(&again.emissions), []);
    assert_eq!(b.jobs(JobFilter::default()).await.len(), 1);
}

/// A key whose job has ended still answers with that job.
pub async fn a_key_replays_a_job_that_has_ended(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running_of(keyed(&b, "k", 1)).await;
    b.end(worker, &claimed, a_success()).await;
    assert_eq!(accept(&b, keyed(&b, "k", 1)).await, Accepted { job: claimed.id, how: Acceptance::Replayed });
    assert_eq!(b.state(claimed.id).await, JobState::Succeeded);
}

/// The same key with another request is refused, by the item's index.
pub async fn a_key_of_another_request_is_refused(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    b.put(keyed(&b, "k", 1)).await;
    let refused = b.store.enqueue(vec![b.job(), keyed(&b, "k", 2)]).await;
    assert!(matches!(refused, Err(EnqueueError::KeyReused { index: 1 })), "{refused:?}");
    assert_eq!(b.jobs(JobFilter::default()).await.len(), 1);
}

/// Of two submissions under one key in one call, the second gets the first's job; with another request it is refused.
pub async fn one_call_may_use_a_key_twice(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let batch = vec![keyed(&b, "k", 1), b.job(), keyed(&b, "k", 1)];
    let (first, middle) = (batch[0].id, batch[1].id);
    let enqueued = b.enqueue(batch).await;
    let expected = [(first, Acceptance::New), (middle, Acceptance::New), (first, Acceptance::Replayed)];
    assert_eq!(enqueued.accepted, expected.map(|(job, how)| Accepted { job, how }));
    assert_eq!(listed(&enqueued.emissions), [first, middle]);
    let refused = b.store.enqueue(vec![keyed(&b, "j", 1), keyed(&b, "j", 2)]).await;
    assert!(matches!(refused, Err(EnqueueError::KeyReused { index: 1 })), "{refused:?}");
}

/// What is remembered of keys is told in the order of asking, with the request's hash.
pub async fn remembered_keys_are_told_in_order(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (one, two) = (b.put(keyed(&b, "one", 1)).await, b.put(keyed(&b, "two", 2)).await);
    let keys = ["two", "never", "one"].map(str::to_owned);
    let told = |job: JobId, hash: u8| Some(Remembered { job, request_hash: [hash; 32] });
    assert_eq!(b.store.remembered(&tenant(), &keys).await.expect("looks up"), [told(two, 2), None, told(one, 1)]);
    assert_eq!(b.store.remembered(&stranger(), &keys).await.expect("looks up"), [None, None, None]);
}

/// A key lives 24 h: until then it answers, after that it is taken over by whoever comes.
pub async fn an_expired_key_is_taken_over(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let first = b.put(keyed(&b, "k", 1)).await;
    f.advance(IDEMPOTENCY_KEPT - HOUR);
    assert_eq!(accept(&b, keyed(&b, "k", 1)).await.job, first);
    f.advance(HOUR + SECOND);
    assert_eq!(b.store.remembered(&tenant(), &["k".to_owned()]).await.expect("looks up"), [None]);
    let second = b.put(keyed(&b, "k", 2)).await;
    assert_eq!(accept(&b, keyed(&b, "k", 2)).await, Accepted { job: second, how: Acceptance::Replayed });
}

/// Keys and windows belong to a tenant: another one's never matter. // I17
pub async fn keys_and_windows_are_the_tenants_own(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let job = |hash| NewJob { idempotency: idempotency("k", hash), unique: unique("u", None), ..b.job() };
    b.put(job(1)).await;
    b.put(NewJob { tenant: stranger(), ..job(2) }).await;
}

/// Idempotency keys and uniqueness keys are different spaces.
pub async fn the_two_spaces_do_not_mix(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    b.put(keyed(&b, "same", 1)).await;
    b.put(NewJob { unique: unique("same", None), ..b.job() }).await;
    assert_eq!(accept(&b, NewJob { unique: unique("same", None), ..b.job() }).await.how, Acceptance::UniqueConflict);
}

/// A repeated request is a replay, also when its uniqueness window is open.
pub async fn a_replay_comes_before_a_unique_conflict(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let job = || NewJob { unique: unique("u", None), ..keyed(&b, "k", 1) };
    let first = b.put(job()).await;
    assert_eq!(accept(&b, job()).await, Accepted { job: first, how: Acceptance::Replayed });
}

/// A submission that met an open window has used its key: repeated, it gets the same job, also when the window has closed.
pub async fn a_conflicts_key_is_remembered(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let first = b.put(NewJob { unique: unique("u", None), ..b.job() }).await;
    let job = || NewJob { unique: unique("u", None), ..keyed(&b, "k", 1) };
    assert_eq!(accept(&b, job()).await, Accepted { job: first, how: Acceptance::UniqueConflict });
    b.cancel(first).await.expect("cancels");
    assert_eq!(accept(&b, job()).await.job, first);
    assert_eq!(b.jobs(JobFilter::default()).await.len(), 1);
}

/// While a window is open, further jobs are refused in favour of the first; also within one call.
pub async fn an_open_window_gives_the_first_job(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let job = || NewJob { unique: unique("u", Some(HOUR)), ..b.job() };
    let batch = vec![job(), job()];
    let first = batch[0].id;
    let enqueued = b.enqueue(batch).await;
    assert_eq!(enqueued.accepted[1], Accepted { job: first, how: Acceptance::UniqueConflict });
    assert_eq!(listed(&enqueued.emissions), [first]);
    assert_eq!(accept(&b, job()).await, Accepted { job: first, how: Acceptance::UniqueConflict });
    assert_eq!(b.jobs(JobFilter::default()).await.len(), 1);
}

/// A window with a length stays open that long, whether or not its job has ended, and no longer.
pub async fn a_window_with_a_length_outlives_its_job(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let job = || NewJob { unique: unique("u", Some(HOUR)), ..b.job() };
    let (worker, claimed) = b.running_of(job()).await;
    b.end(worker, &claimed, a_success()).await;
    assert_eq!(accept(&b, job()).await, Accepted { job: claimed.id, how: Acceptance::UniqueConflict });
    f.advance(HOUR + SECOND);
    let second = b.put(job()).await;
    assert_eq!(accept(&b, job()).await.job, second, "the new job opened a window of its own");
}

/// A window with a length closes in time also while its job lives on.
pub async fn a_window_with_a_length_closes_under_a_live_job(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let job = || NewJob { unique: unique("u", Some(HOUR)), run_at: Some(b.now() + HOUR * 9), ..b.job() };
    let first = b.put(job()).await;
    f.advance(HOUR + SECOND);
    b.put(job()).await;
    assert_eq!(b.state(first).await, JobState::Waiting);
}

/// A window without a length stays open until its job ends, in whatever way that is.
pub async fn a_window_until_the_end_closes_with_every_end(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for ending in Ending::ALL {
        let key = format!("{ending:?}");
        let job = || NewJob { unique: unique(&key, None), ..b.job() };
        let blocker = b.put(NewJob { unique: unique("other", None), ..b.job() }).await;
        let (ended, _) = ending.reach(&b, f, job()).await;
        let next = accept(&b, job()).await;
        assert_eq!(next.how, Acceptance::New, "{ending:?} of {ended} must close its window");
        assert_eq!(accept(&b, job()).await, Accepted { job: next.job, how: Acceptance::UniqueConflict }, "{ending:?}");
        b.cancel(blocker).await.expect("clears the way");
    }
}

/// A window without a length is open in every live state, over attempts, crashes and days.
pub async fn a_window_until_the_end_stays_open_while_the_job_lives(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let job = || NewJob { unique: unique("u", None), ..b.job() };
    let first = b.put(job()).await;
    let conflict = Accepted { job: first, how: Acceptance::UniqueConflict };
    f.advance(IDEMPOTENCY_KEPT * 2);
    assert_eq!(accept(&b, job()).await, conflict, "queued");
    let worker = b.worker().await;
    b.take(worker, first).await;
    assert_eq!(accept(&b, job()).await, conflict, "running");
    f.advance(HOUR);
    b.rescue().await;
    assert_eq!(accept(&b, job()).await, conflict, "waiting for another attempt");
}

/// Of many who come at once with one key, exactly one makes the job.
pub async fn a_race_for_one_key_makes_one_job(f: &mut dyn Fixture) {
    race(f, |b| keyed(b, "k", 1), Acceptance::Replayed).await;
}

/// Of many who come at once through one window, exactly one makes the job.
pub async fn a_race_for_one_window_makes_one_job(f: &mut dyn Fixture) {
    race(f, |b| NewJob { unique: unique("u", None), ..b.job() }, Acceptance::UniqueConflict).await;
}

async fn race(f: &dyn Fixture, job: impl Fn(&Bench) -> NewJob, loser: Acceptance) {
    const CALLS: usize = 16;
    let b = Bench::new(f).await;
    let barrier = Arc::new(Barrier::new(CALLS));
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let (jobs, store, barrier) = (vec![job(&b)], Arc::clone(&b.store), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                store.enqueue(jobs).await.expect("enqueues").accepted.remove(0)
            })
        })
        .collect();
    let mut accepted = Vec::new();
    for call in calls {
        accepted.push(call.await.expect("no panic"));
    }
    let winners: Vec<_> = accepted.iter().filter(|one| one.how == Acceptance::New).collect();
    assert_eq!(winners.len(), 1, "{accepted:?}");
    assert!(accepted.iter().all(|one| one.job == winners[0].job), "{accepted:?}");
    assert!(accepted.iter().all(|one| one.how == Acceptance::New || one.how == loser), "{accepted:?}");
    assert_eq!(b.jobs(JobFilter::default()).await.len(), 1);
}
