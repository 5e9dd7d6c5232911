//! When do waiting jobs become queued, and late ones expired? Only by timers that still agree with their job.

use std::sync::Arc;

use domain::{Emission, JobId, JobState, NewJob, Priority, WaitingFor};
use tokio::sync::Barrier;

use super::Fixture;
use super::bench::Bench;
use super::sample::{HOUR, PLENTY, SECOND, a_failure, class, class_at, listed, no_worker, sorted};
use crate::{ClassNeed, End, Promoted, Until};

/// With nothing due, promoting does nothing and says when something will be.
pub async fn nothing_is_promoted_before_its_time(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    assert_eq!(b.promote().await, Promoted::default(), "no timer at all");
    let at = b.now() + HOUR;
    let id = b.waiting_until(at).await;
    assert_eq!(b.promote().await, Promoted { next_timer: Some(at), ..Promoted::default() });
    f.advance(HOUR - SECOND * 30);
    assert_eq!(b.promote().await.promoted, 0);
    assert_eq!(b.state(id).await, JobState::Waiting);
}

/// Due jobs become queued and are emitted; what is not due yet is the next timer, exactly.
pub async fn due_jobs_are_promoted_and_emitted(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let now = b.now();
    let mut due = Vec::new();
    for hours in [1, 2, 2] {
        due.push(b.waiting_until(now + HOUR * hours).await);
    }
    let later = b.waiting_until(now + HOUR * 9).await;
    f.advance(HOUR * 2);
    let promoted = b.promote().await;
    assert_eq!((promoted.promoted, promoted.expired, promoted.next_timer), (3, 0, Some(now + HOUR * 9)));
    assert_eq!(listed(&promoted.emissions), sorted(&due));
    assert!(promoted.emissions.iter().all(|emission| emission.class == class()));
    let job = b.read(due[0]).await;
    assert_eq!((job.state, job.waiting_for, job.run, job.attempt), (JobState::Queued, None, 0, 0));
    assert_eq!(b.state(later).await, JobState::Waiting);
    assert_eq!(b.promote().await.promoted, 0, "once is enough");
}

/// A pass is bounded by its limit, takes the earliest first, and says that there is more to do. // I7, I9
pub async fn promoting_is_bounded_and_goes_on(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let now = b.now();
    let mut expected = Vec::new();
    for n in [5, 3, 1, 4, 2] {
        expected.push((n, b.waiting_until(now + SECOND * n).await));
    }
    expected.sort_unstable();
    f.advance(SECOND * 10);
    for pair in expected.chunks(2) {
        let promoted = b.store.promote(2).await.expect("promotes");
        let ids: Vec<JobId> = pair.iter().map(|(_, id)| *id).collect();
        assert_eq!(listed(&promoted.emissions), sorted(&ids));
        let more = promoted.next_timer.is_some_and(|at| at <= b.now());
        assert_eq!(more, pair.len() == 2, "{:?}", promoted.next_timer);
    }
}

/// An old timer, of a job that was since cancelled, replayed or put off, releases nothing.
pub async fn old_timers_are_noise(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let early = b.now() + HOUR;
    let late = early + HOUR;
    let cancelled = b.waiting_until(early).await;
    b.cancel(cancelled).await.expect("cancels");
    let put_off = b.waiting_until(early).await;
    b.cancel(put_off).await.expect("cancels");
    b.replay(put_off).await;
    let worker = b.worker().await;
    let claimed = b.take(worker, put_off).await;
    b.end(worker, &claimed, End::Retry { at: late, failure: a_failure() }).await;
    f.advance(HOUR + SECOND);
    let promoted = b.promote().await;
    assert_eq!((promoted.promoted, promoted.expired, promoted.emissions.as_slice()), (0, 0, [].as_slice()));
    assert_eq!((b.state(cancelled).await, b.state(put_off).await), (JobState::Cancelled, JobState::Waiting));
    f.advance(HOUR);
    assert_eq!(listed(&b.promote().await.emissions), [put_off]);
}

/// A timer of a job that waits for a key by now releases nothing.
pub async fn a_timer_does_not_free_a_parked_job(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.waiting_until(b.now() + HOUR).await;
    b.cancel(id).await.expect("cancels");
    b.replay(id).await;
    assert_eq!(b.store.park(&class(), &[id], &no_worker()).await.expect("parks"), 1);
    f.advance(HOUR * 2);
    assert_eq!(b.promote().await.promoted, 0);
    assert_eq!(b.read(id).await.waiting_for, Some(WaitingFor::NoWorker));
}

/// Jobs that did not start in time expire where they wait, queued or not; the next timer counts expiries.
pub async fn late_jobs_expire(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let now = b.now();
    let queued = b.put(NewJob { start_before: Some(now + HOUR), ..b.job() }).await;
    let waiting = b.put(NewJob { start_before: Some(now + HOUR), run_at: Some(now + HOUR * 5), ..b.job() }).await;
    let good = b.put(NewJob { start_before: Some(now + HOUR * 3), ..b.job() }).await;
    assert_eq!(b.promote().await.next_timer, Some(now + HOUR));
    f.advance(HOUR + SECOND);
    let promoted = b.promote().await;
    assert_eq!((promoted.promoted, promoted.expired), (0, 2));
    for id in [queued, waiting] {
        let job = b.read(id).await;
        assert_eq!((job.state, job.waiting_for, job.run), (JobState::Expired, None, 0));
        assert!(job.finished_at.is_some() && job.started_at.is_none());
    }
    assert_eq!(b.claim(b.worker().await, &[queued, waiting, good]).await.len(), 1);
    f.advance(HOUR * 5);
    assert_eq!(b.promote().await.promoted, 0, "an expired job's time comes for nothing");
}

/// A job due and late at the same time expires, in whichever order its timers are found.
pub async fn a_job_both_due_and_late_expires(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let now = b.now();
    let id = b.put(NewJob { run_at: Some(now + HOUR), start_before: Some(now + HOUR * 2), ..b.job() }).await;
    f.advance(HOUR * 3);
    b.promote().await;
    b.promote().await;
    assert_eq!(b.state(id).await, JobState::Expired);
}

/// Expiry concerns the first start only: a job that was started once is never expired.
pub async fn a_started_job_does_not_expire(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let start_before = b.now() + SECOND * 10;
    let job = || NewJob { start_before: Some(start_before), ..b.job() };
    let (worker, retried) = b.running_of(job()).await;
    b.end(worker, &retried, End::Retry { at: start_before + HOUR, failure: a_failure() }).await;
    let (holder, running) = b.running_of(job()).await;
    b.keep_alive(f, holder, &[running.claim], SECOND * 40).await;
    assert_eq!(b.promote().await.expired, 0);
    assert_eq!((b.state(retried.id).await, b.state(running.id).await), (JobState::Waiting, JobState::Running));
    b.let_it_fall_due(f, retried.id).await;
    assert_eq!(b.promote().await.expired, 0);
}

/// A crash after the first start leaves no way to expire either.
pub async fn a_crashed_job_does_not_expire(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.put(NewJob { start_before: Some(b.now() + SECOND * 10), ..b.job() }).await;
    b.crash(f, id).await;
    f.advance(HOUR);
    let promoted = b.promote().await;
    assert_eq!((promoted.promoted, promoted.expired), (1, 0));
    b.take(b.worker().await, id).await;
}

/// A handler saw it: that it was put off at no cost leaves no way to expire, neither for the timer nor for a claim.
pub async fn a_deferred_job_does_not_expire(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let start_before = b.now() + HOUR;
    for until in [Until::Time { at: b.now(), reason: WaitingFor::Time }, Until::Time { at: start_before, reason: WaitingFor::RateLimit }] {
        let (worker, put_off) = b.running_of(NewJob { start_before: Some(start_before), ..b.job() }).await;
        b.end(worker, &put_off, End::Deferred { until, failure: None }).await;
    }
    f.advance(HOUR + SECOND);
    let promoted = b.promote().await;
    assert_eq!((promoted.promoted, promoted.expired), (2, 0));
    assert_eq!(b.claim(b.worker().await, &listed(&promoted.emissions)).await.len(), 2);
}

/// Only a start that a handler may have seen is one: jobs of lost claims, and those that met no handler of their kind, may
/// still expire. // I1
pub async fn a_start_that_no_handler_saw_does_not_count(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let job = || NewJob { start_before: Some(b.now() + HOUR), ..b.job() };
    let (worker, handed_back) = b.running_of(job()).await;
    b.renew(worker, &[]).await.expect("renews");
    let (worker, unknown) = b.running_of(job()).await;
    b.end(worker, &unknown, End::Deferred { until: no_worker(), failure: None }).await;
    let (worker, queued) = b.running_of(job()).await;
    b.renew(worker, &[]).await.expect("renews");
    b.let_it_fall_due(f, queued.id).await;
    f.advance(HOUR + SECOND);
    assert_eq!(b.claim(b.worker().await, &[queued.id]).await, []);
    b.promote().await;
    for id in [handed_back.id, unknown.id, queued.id] {
        assert_eq!(b.state(id).await, JobState::Expired);
    }
}

/// A start-before that passed while a lost claim held the job counts as soon as that has come out.
pub async fn a_time_that_passed_unseen_is_not_forgotten(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, unknown) = b.running_of(NewJob { start_before: Some(b.now() + SECOND), ..b.job() }).await;
    f.advance(SECOND * 2);
    assert_eq!(b.promote().await.expired, 0, "it runs, as far as anybody knows");
    let settled = b.end(worker, &unknown, End::Deferred { until: no_worker(), failure: None }).await;
    assert!(settled.next_timer.is_some_and(|at| at <= b.now()), "{settled:?}");
    assert_eq!(b.promote().await.expired, 1);
    assert_eq!(b.state(unknown.id).await, JobState::Expired);
}

/// Promoters may run side by side: every due job is promoted and emitted once. // I9
pub async fn concurrent_promoters_share_the_work(f: &mut dyn Fixture) {
    const CALLS: usize = 4;
    let b = Bench::new(f).await;
    let at = b.now() + HOUR;
    let jobs: Vec<NewJob> = (0..80).map(|_| NewJob { run_at: Some(at), ..b.job() }).collect();
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    b.enqueue(jobs).await;
    f.advance(HOUR + SECOND);
    let barrier = Arc::new(Barrier::new(CALLS));
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let (store, barrier) = (Arc::clone(&b.store), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                store.promote(50).await.expect("promotes")
            })
        })
        .collect();
    let (mut emissions, mut promoted): (Vec<Emission>, usize) = (Vec::new(), 0);
    for call in calls {
        let pass = call.await.expect("no panic");
        promoted += pass.promoted;
        emissions.extend(pass.emissions);
    }
    let rest = b.promote().await;
    emissions.extend(rest.emissions);
    assert_eq!((promoted + rest.promoted, listed(&emissions)), (80, sorted(&ids)));
}

/// Timers outlast the death of the process that set them.
pub async fn timers_survive_a_restart(f: &mut dyn Fixture) {
    let mut b = Bench::new(f).await;
    let at = b.now() + HOUR;
    let id = b.waiting_until(at).await;
    f.restart().await;
    b.reopen(f);
    assert_eq!(b.promote().await.next_timer, Some(at));
    b.let_it_fall_due(f, id).await;
}

/// After a process died before telling the broker, all that is queued is emitted again, oldest first. // I1, I16
pub async fn queued_jobs_are_emitted_again_after_a_restart(f: &mut dyn Fixture) {
    let mut b = Bench::new(f).await;
    let queued = b.queued_many(40).await;
    let waiting = b.waiting_until(b.now() + HOUR).await;
    let (_, running) = b.running().await;
    f.restart().await;
    b.reopen(f);
    f.advance(SECOND * 15);
    let needs = [ClassNeed { class: class(), room: PLENTY }];
    let due = b.store.emissions_due(&needs, PLENTY).await.expect("lists").emissions;
    assert_eq!(listed(&due), queued, "neither {waiting} nor {}", running.id);
    assert_eq!(b.claim(b.worker().await, &queued).await.len(), 40);
}

/// What is due again is bounded by each class's room and by the limit, and begins with the oldest. // I7
pub async fn emitting_again_is_bounded(f: &mut dyn Fixture) {
    let mut b = Bench::new(f).await;
    let queued = b.queued_many(40).await;
    f.restart().await;
    b.reopen(f);
    f.advance(SECOND * 15);
    let need = |room| [ClassNeed { class: class(), room }];
    let due = |emitted: crate::Emitted| listed(&emitted.emissions);
    assert_eq!(due(b.store.emissions_due(&need(0), PLENTY).await.expect("lists")), []);
    assert_eq!(due(b.store.emissions_due(&[], PLENTY).await.expect("lists")), []);
    let other = [ClassNeed { class: class_at(Priority::Bulk), room: PLENTY }];
    assert_eq!(due(b.store.emissions_due(&other, PLENTY).await.expect("lists")), []);
    let few = due(b.store.emissions_due(&need(PLENTY), 10).await.expect("lists"));
    assert!(few.len() <= 10 && few == queued[..few.len()], "{few:?}");
    let little = due(b.store.emissions_due(&need(7), PLENTY).await.expect("lists"));
    assert!(little.len() <= 7 && little == queued[..little.len()], "{little:?}");
    let high: Vec<NewJob> = (0..8).map(|_| NewJob { priority: Priority::High, ..b.job() }).collect();
    b.enqueue(high).await;
    let both = [need(PLENTY), [ClassNeed { class: class_at(Priority::High), room: PLENTY }]].concat();
    assert!(due(b.store.emissions_due(&both, 44).await.expect("lists")).len() <= 44, "the limit is that of the call");
}
