//! What happens when an operator runs an ended job again?

use std::sync::Arc;

use domain::bounds::CRASHES_MAX;
use domain::{JobState, NewJob};
use tokio::sync::Barrier;

use super::Fixture;
use super::bench::Bench;
use super::ending::Ending;
use super::sample::{HOUR, LEASE_OVER, SECOND, a_death, a_failure, a_success, class, listed, operator, outsider, tenant};
use crate::{ActError, End};

/// Whatever way a job was ended, unless it succeeded, it is queued again with a clean slate; its run stays.
pub async fn every_unsuccessful_end_can_be_replayed(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for ending in Ending::ALL.into_iter().filter(|ending| ending.state() != JobState::Succeeded) {
        let (id, _) = ending.reach(&b, f, b.job()).await;
        let before = b.read(id).await;
        let said = b.store.retry(&operator(), id, None).await.expect("replays");
        assert_eq!(listed(&said.emissions), [id], "{ending:?}");
        assert_eq!(said.emissions[0].class, class());
        let job = b.read(id).await;
        assert_eq!(said.job, job, "{ending:?}");
        assert_eq!((job.state, job.waiting_for, job.run), (JobState::Queued, None, before.run), "{ending:?}");
        assert_eq!((job.attempt, job.crashes, job.cancel_requested), (0, 0, false), "{ending:?}");
        assert_eq!((job.start_before, job.finished_at, job.worker, job.result), (None, None, None, None), "{ending:?}");
        let claimed = b.take(b.worker().await, id).await;
        assert_eq!((claimed.run, claimed.attempt, claimed.cancel_requested), (before.run + 1, 1, false), "{ending:?}");
        assert_eq!((claimed.payload, claimed.edits), (before.payload, 0), "{ending:?}");
    }
}

/// A success cannot be replayed, nor can what is still live; nothing changes. // I2
pub async fn what_succeeded_or_lives_cannot_be_replayed(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, done) = b.running().await;
    b.end(worker, &done, a_success()).await;
    let (_, running) = b.running().await;
    let live = [done.id, running.id, b.queued().await, b.waiting_until(b.now() + HOUR).await];
    for id in live {
        let before = b.read(id).await;
        for payload in [None, Some("{}".into())] {
            let answer = b.store.retry(&operator(), id, payload).await;
            assert!(matches!(answer, Err(ActError::Illegal(state)) if state == before.state), "{answer:?}");
        }
        assert_eq!(b.read(id).await, before);
    }
}

/// An unknown job, or another tenant's, does not exist for a replay. // I17
pub async fn a_foreign_job_cannot_be_replayed(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (id, _) = Ending::Dead.reach(&b, f, b.job()).await;
    assert!(matches!(b.store.retry(&outsider(), id, None).await, Err(ActError::NotFound)));
    assert!(matches!(b.store.retry(&operator(), b.mint.job(b.now()), None).await, Err(ActError::NotFound)));
    assert_eq!(b.state(id).await, JobState::Dead);
}

/// An edited payload is the job's payload from then on, and each edit gives it another stable key.
pub async fn an_edit_changes_the_payload_and_the_stable_key(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (id, _) = Ending::Dead.reach(&b, f, b.job()).await;
    let worker = b.worker().await;
    let mut expected = Vec::new();
    for (n, text) in [(1, "{ \"to\":\"b@example.com\" }"), (2, "{\"to\":\"\\u0000\"}")] {
        b.store.retry(&operator(), id, Some(text.into())).await.expect("replays");
        let claimed = b.take(worker, id).await;
        assert_eq!((&*claimed.payload, claimed.edits, claimed.stable_key()), (text, n, format!("{id}.r{n}")));
        assert_eq!(&*b.read(id).await.payload, text);
        b.end(worker, &claimed, a_death()).await;
        expected.push(claimed.run);
    }
    b.replay(id).await;
    assert_eq!(b.take(worker, id).await.edits, 2, "a plain replay is no edit");
    assert_eq!(expected, [2, 3]);
}

/// A replayed job has all its attempts and crashes before it again.
pub async fn a_replayed_job_has_its_attempts_again(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.put(NewJob { max_attempts: 9, ..b.job() }).await;
    for _ in 1..CRASHES_MAX {
        b.crash(f, id).await;
        b.let_it_fall_due(f, id).await;
    }
    b.crash(f, id).await;
    assert_eq!(b.state(id).await, JobState::Dead);
    b.replay(id).await;
    b.crash(f, id).await;
    let job = b.read(id).await;
    assert_eq!((job.state, job.crashes, job.attempt, job.run), (JobState::Waiting, 1, 1, 4));
}

/// A replayed job is due anew: policies that count elapsed time count from the replay.
pub async fn a_replayed_job_is_due_anew(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (id, _) = Ending::Dead.reach(&b, f, b.job()).await;
    f.advance(HOUR);
    let at = b.now();
    b.replay(id).await;
    let job = b.read(id).await;
    assert!(job.run_at >= at && job.created_at < at, "{job:?}");
    let claimed = b.take(b.worker().await, id).await;
    assert!(claimed.due_at >= at, "due at {}, replayed at {at}", claimed.due_at);
}

/// A replayed job does not expire any more, not even by the timer it had.
pub async fn a_replayed_job_does_not_expire(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.put(NewJob { start_before: Some(b.now() + HOUR), ..b.job() }).await;
    b.cancel(id).await.expect("cancels");
    b.replay(id).await;
    f.advance(HOUR + SECOND);
    assert_eq!(b.promote().await.expired, 0);
    b.take(b.worker().await, id).await;
}

/// The end of an earlier run cannot end a replayed job. // I3
pub async fn a_settlement_from_before_the_replay_is_lost(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running_of(NewJob { max_attempts: 1, ..b.job() }).await;
    f.advance(LEASE_OVER);
    b.rescue().await;
    b.replay(claimed.id).await;
    assert_eq!(b.settle(worker, &claimed, a_success()).await.lost, [(claimed.id, 1)]);
    assert_eq!(b.state(claimed.id).await, JobState::Queued);
}

/// Of several who replay one job at once, one does; the others find it queued.
pub async fn concurrent_replays_replay_once(f: &mut dyn Fixture) {
    const CALLS: usize = 6;
    let b = Bench::new(f).await;
    let (id, _) = Ending::Dead.reach(&b, f, b.job()).await;
    let barrier = Arc::new(Barrier::new(CALLS));
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let (store, barrier) = (Arc::clone(&b.store), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                store.retry(&operator(), id, Some("{}".into())).await
            })
        })
        .collect();
    let mut done = 0;
    for call in calls {
        match call.await.expect("no panic") {
            Ok(said) => {
                assert_eq!(said.job.state, JobState::Queued);
                done += 1;
            }
            Err(error) => assert!(matches!(error, ActError::Illegal(JobState::Queued)), "{error}"),
        }
    }
    assert_eq!((done, b.take(b.worker().await, id).await.edits), (1, 1));
}

/// A replay leaves its audit row and its timeline entry; one that was refused leaves none. // I12
pub async fn a_replay_is_on_record(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (id, _) = Ending::Dead.reach(&b, f, b.job()).await;
    b.replay(id).await;
    drop(b.store.retry(&operator(), id, None).await);
    drop(b.store.retry(&outsider(), id, None).await);
    let audit = b.audit(&tenant()).await;
    let rows: Vec<_> = audit.iter().filter(|row| row.target == id.to_string()).collect();
    assert_eq!(rows.len(), 1, "{audit:?}");
    assert_eq!((rows[0].action.as_str(), rows[0].request_id.as_str()), ("job.retry", "req-1"));
    assert!(rows[0].actor.contains(&operator().name), "{:?}", rows[0]);
    let timeline = b.store.timeline(&tenant(), id).await.expect("reads");
    let step = timeline.last().expect("there is one");
    assert_eq!((step.from, step.to, step.run), (Some(JobState::Dead), JobState::Queued, 1));
    assert!(step.actor.contains(&operator().name), "{step:?}");
}

/// A replayed job that was ended by a retry's exhaustion may succeed after all, once.
pub async fn a_replayed_job_ends_once_more(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, first) = b.running().await;
    b.end(worker, &first, End::Retry { at: b.now(), failure: a_failure() }).await;
    b.let_it_fall_due(f, first.id).await;
    let second = b.take(worker, first.id).await;
    b.end(worker, &second, a_death()).await;
    b.replay(first.id).await;
    let third = b.take(worker, first.id).await;
    b.end(worker, &third, a_success()).await;
    let job = b.read(first.id).await;
    assert_eq!((job.state, job.run, job.attempt, job.result.is_some()), (JobState::Succeeded, 3, 1, true));
    assert_eq!(job.error, None, "the last attempt did not fail");
    assert_eq!(b.settle(worker, &second, a_success()).await.lost, [(first.id, 2)]);
}
