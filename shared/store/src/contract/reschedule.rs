//! What happens when an operator sets a job's time, or lets it run now?

use std::sync::Arc;

use domain::{JobId, JobState, NewJob, WaitingFor};
use tokio::sync::Barrier;

use super::Fixture;
use super::bench::Bench;
use super::ending::Ending;
use super::sample::{HOUR, SECOND, SLACK, a_failure, a_success, class, listed, no_worker, operator, tenant};
use crate::{ActError, End, Replay, Until};

async fn reschedule(b: &Bench, id: JobId, at: domain::Timestamp) -> Replay {
    b.store.reschedule(&operator(), id, at, None).await.expect("sets the time")
}

async fn run_now(b: &Bench, id: JobId) -> Replay {
    b.store.run_now(&operator(), id, None).await.expect("queues")
}

fn signal() -> Until {
    Until::Freed { reason: WaitingFor::Signal, key: "effect:deliver".to_owned() }
}

/// A job that failed for now, or met a rate limit, and waits an hour for the next attempt.
async fn put_off(b: &Bench, reason: WaitingFor) -> JobId {
    let (worker, claimed) = b.running().await;
    let at = b.now() + HOUR;
    let deferred = End::Deferred { until: Until::Time { at, reason }, failure: None };
    let end = if reason == WaitingFor::Retry { End::Retry { at, failure: a_failure() } } else { deferred };
    b.end(worker, &claimed, end).await;
    claimed.id
}

/// A queued job waits until the time it is given: its hints are noise until then.
pub async fn a_queued_job_waits_until_its_new_time(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (id, at) = (b.queued().await, b.now() + HOUR);
    let said = reschedule(&b, id, at).await;
    assert_eq!((said.emissions, said.next_timer), (vec![], Some(at)));
    assert_eq!((said.job.state, said.job.waiting_for, said.job.run_at), (JobState::Waiting, Some(WaitingFor::Time), at));
    assert_eq!(b.claim(b.worker().await, &[id]).await, []);
    assert_eq!(b.promote().await.promoted, 0);
    f.advance(HOUR + SECOND);
    let promoted = b.promote().await;
    assert_eq!(listed(&promoted.emissions), [id]);
    let (worker, due) = (b.worker().await, at);
    assert_eq!(b.take(worker, id).await.due_at, due, "it is due anew");
}

/// A waiting job waits until its new time, be that earlier or later; its old timer is noise.
pub async fn a_waiting_job_waits_until_its_new_time(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let now = b.now();
    let ids = [b.waiting_until(now + HOUR * 2).await, b.waiting_until(now + HOUR * 2).await];
    assert_eq!(reschedule(&b, ids[0], now + HOUR).await.next_timer, Some(now + HOUR));
    assert_eq!(reschedule(&b, ids[1], now + HOUR * 3).await.job.run_at, now + HOUR * 3);
    let mut due = Vec::new();
    for _ in 0..3 {
        f.advance(HOUR + SLACK);
        due.push(listed(&b.promote().await.emissions));
    }
    assert_eq!(due, [vec![ids[0]], vec![], vec![ids[1]]]);
}

/// A job that waits for a retry or a rate limit can be given another time; its attempts stay, and so does its first due time.
pub async fn a_retry_can_be_rescheduled(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for reason in [WaitingFor::Retry, WaitingFor::RateLimit] {
        let id = put_off(&b, reason).await;
        let before = b.read(id).await;
        assert_eq!(before.waiting_for, Some(reason));
        let job = reschedule(&b, id, b.now() + SECOND).await.job;
        assert_eq!((job.waiting_for, job.attempt, job.run), (Some(WaitingFor::Time), before.attempt, before.run), "{reason}");
        f.advance(SECOND * 2);
        assert_eq!(listed(&b.promote().await.emissions), [id], "{reason}");
        let worker = b.worker().await;
        let claimed = b.take(worker, id).await;
        assert!(claimed.due_at < job.run_at, "policies that count elapsed time need the first");
        b.end(worker, &claimed, a_success()).await;
    }
}

/// A time that has passed means now.
pub async fn a_time_that_has_passed_means_now(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (waiting, queued) = (b.waiting_until(b.now() + HOUR).await, b.queued().await);
    let past = b.now();
    f.advance(SECOND);
    let said = reschedule(&b, waiting, past).await;
    assert_eq!((said.job.state, listed(&said.emissions), said.next_timer), (JobState::Queued, vec![waiting], None));
    assert!(said.job.run_at > past && said.job.run_at <= b.now(), "it is due since it was asked for");
    let before = b.read(queued).await;
    let said = reschedule(&b, queued, past).await;
    assert_eq!((said.job, said.emissions), (before, vec![]), "a queued job stays as it is");
}

/// What waits for a time, whatever for, is queued at once; its timer is noise.
pub async fn what_waits_for_a_time_runs_now(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let first = b.waiting_until(b.now() + HOUR).await;
    let ids = [first, put_off(&b, WaitingFor::Retry).await, put_off(&b, WaitingFor::RateLimit).await];
    for id in ids {
        let before = b.now();
        let said = run_now(&b, id).await;
        assert_eq!((said.job.state, listed(&said.emissions), said.next_timer), (JobState::Queued, vec![id], None));
        assert_eq!(said.emissions[0].class, class());
        assert!(said.job.run_at >= before && said.job.run_at <= b.now(), "{:?}", said.job);
        assert_eq!(b.read(id).await, said.job);
    }
    let worker = b.worker().await;
    let claimed = b.take(worker, first).await;
    assert!(claimed.due_at <= claimed.started_at, "it did not start before it was due");
    b.end(worker, &claimed, a_success()).await;
    f.advance(HOUR + SECOND);
    assert_eq!(b.promote().await.promoted, 0);
}

/// A queued job that shall run now stays as it is, and is no error.
pub async fn a_queued_job_runs_now_anyway(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.queued().await;
    let (before, life) = (b.read(id).await, b.store.timeline(&tenant(), id).await.expect("reads"));
    let said = run_now(&b, id).await;
    assert_eq!((said.job, said.emissions, said.next_timer), (before, vec![], None));
    assert_eq!(b.store.timeline(&tenant(), id).await.expect("reads"), life);
    assert_eq!(b.audit(&tenant()).await[0].action, "job.run_now");
}

/// What waits for a key, runs or has ended has no time that could be set. // I2, I6
pub async fn what_has_no_time_cannot_be_given_one(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let mut ids = Vec::new();
    for ending in Ending::ALL {
        ids.push(ending.reach(&b, f, b.job()).await.0);
    }
    let parked = b.queued_many(2).await;
    b.store.park(&class(), &parked[..1], &no_worker()).await.expect("parks");
    b.store.park(&class(), &parked[1..], &signal()).await.expect("parks");
    ids.extend([parked[0], parked[1], b.running().await.1.id]);
    for id in ids {
        let before = b.read(id).await;
        let (later, past) = (b.now() + HOUR, before.created_at);
        for answer in [
            b.store.reschedule(&operator(), id, later, None).await,
            b.store.reschedule(&operator(), id, past, None).await,
            b.store.run_now(&operator(), id, None).await,
        ] {
            assert!(matches!(answer, Err(ActError::Illegal(state)) if state == before.state), "{before:?}: {answer:?}");
        }
        assert_eq!(b.read(id).await, before);
    }
}

/// What no handler has seen yet still expires at its time, wherever it was moved.
pub async fn a_moved_job_still_expires(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let limit = b.now() + HOUR;
    let job = || NewJob { start_before: Some(limit), ..b.job() };
    let put_off = b.put(job()).await;
    let hastened = b.put(NewJob { run_at: Some(limit + HOUR), ..job() }).await;
    reschedule(&b, put_off, limit + HOUR).await;
    run_now(&b, hastened).await;
    f.advance(HOUR + SECOND);
    let promoted = b.promote().await;
    assert_eq!((promoted.promoted, promoted.expired), (0, 2));
    for id in [put_off, hastened] {
        assert_eq!(b.state(id).await, JobState::Expired);
    }
}

/// Two operators and the promoter queue a job once.
pub async fn acts_race_the_promoter(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for _ in 0..10 {
        let id = b.waiting_until(b.now() + SECOND).await;
        f.advance(SECOND * 2);
        let barrier = Arc::new(Barrier::new(3));
        let mut acts = Vec::new();
        for _ in 0..2 {
            let (store, gate) = (Arc::clone(&b.store), Arc::clone(&barrier));
            acts.push(tokio::spawn(async move {
                gate.wait().await;
                store.run_now(&operator(), id, None).await.expect("queues or finds it queued").emissions
            }));
        }
        barrier.wait().await;
        let mut emissions = b.promote().await.emissions;
        for act in acts {
            emissions.extend(act.await.expect("no panic"));
        }
        assert_eq!(listed(&emissions), [id]);
        let life = b.store.timeline(&tenant(), id).await.expect("reads");
        assert_eq!(life.iter().filter(|step| step.to == JobState::Queued).count(), 1, "{life:#?}");
        b.cancel(id).await.expect("cancels");
    }
}
