//! What does the effect ledger remember? Confirmed is never made again, unknown is never repeated blindly.

use domain::{ClaimedJob, EffectState, WorkerId};

use super::Fixture;
use super::bench::Bench;
use super::sample::{HOUR, LEASE_OVER, a_death, a_failure, a_success, operator};
use crate::{EffectCall, EffectEnd, End, WorkError};

fn call_of(worker: WorkerId, claimed: &ClaimedJob) -> EffectCall {
    EffectCall { worker, job: claimed.id, run: claimed.run, name: "deliver".to_owned(), key: claimed.stable_key() }
}

async fn begin(b: &Bench, call: &EffectCall) -> EffectState {
    b.store.effect_begin(call).await.expect("begins")
}

async fn finish(b: &Bench, call: &EffectCall, end: EffectEnd) {
    b.store.effect_end(call, &end).await.expect("ends");
}

fn confirmed(handle: &str) -> EffectEnd {
    EffectEnd::Confirmed { handle: handle.to_owned() }
}

/// The attempt ends for now, and the next one starts under another worker.
async fn next_run(b: &Bench, f: &dyn Fixture, worker: WorkerId, claimed: &ClaimedJob) -> (WorkerId, ClaimedJob) {
    b.end(worker, claimed, End::Retry { at: b.now() + HOUR, failure: a_failure() }).await;
    b.let_it_fall_due(f, claimed.id).await;
    let next = b.worker().await;
    (next, b.take(next, claimed.id).await)
}

/// A confirmed effect is told with its handle and never made again, in this run or any later. // I6
pub async fn a_confirmed_effect_is_never_made_again(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let call = call_of(worker, &claimed);
    assert_eq!(begin(&b, &call).await, EffectState::Intent);
    finish(&b, &call, confirmed("msg-1")).await;
    let told = EffectState::Confirmed { handle: "msg-1".to_owned() };
    assert_eq!(begin(&b, &call).await, told);
    let (worker, claimed) = next_run(&b, f, worker, &claimed).await;
    assert_eq!(begin(&b, &call_of(worker, &claimed)).await, told);
}

/// Confirmed is final: no later word about the same effect changes it. // I6
pub async fn confirmed_is_final(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let call = call_of(worker, &claimed);
    begin(&b, &call).await;
    finish(&b, &call, confirmed("msg-1")).await;
    for end in [EffectEnd::Failed, EffectEnd::Unknown, confirmed("msg-2")] {
        drop(b.store.effect_end(&call, &end).await);
        assert_eq!(begin(&b, &call).await, EffectState::Confirmed { handle: "msg-1".to_owned() });
    }
}

/// An intent of an earlier run that never ended is unknown, and stays so until somebody says how it ended. // I6
pub async fn an_intent_of_an_earlier_run_is_unknown(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    assert_eq!(begin(&b, &call_of(worker, &claimed)).await, EffectState::Intent);
    f.advance(LEASE_OVER);
    b.rescue().await;
    b.let_it_fall_due(f, claimed.id).await;
    let second = b.worker().await;
    let call = call_of(second, &b.take(second, claimed.id).await);
    assert_eq!(begin(&b, &call).await, EffectState::Unknown);
    assert_eq!(begin(&b, &call).await, EffectState::Unknown, "asking twice makes nothing known");
    finish(&b, &call, confirmed("found")).await;
    assert_eq!(begin(&b, &call).await, EffectState::Confirmed { handle: "found".to_owned() });
}

/// Beginning twice in one run without an end is the same intent.
pub async fn beginning_twice_in_one_run_is_one_intent(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let call = call_of(worker, &claimed);
    for _ in 0..2 {
        assert_eq!(begin(&b, &call).await, EffectState::Intent);
    }
}

/// An effect known to have failed may be made again, in this run and in later ones.
pub async fn a_failed_effect_may_be_made_again(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let call = call_of(worker, &claimed);
    begin(&b, &call).await;
    finish(&b, &call, EffectEnd::Failed).await;
    assert_eq!(begin(&b, &call).await, EffectState::Intent);
    finish(&b, &call, EffectEnd::Failed).await;
    let (worker, claimed) = next_run(&b, f, worker, &claimed).await;
    assert_eq!(begin(&b, &call_of(worker, &claimed)).await, EffectState::Intent);
}

/// An effect that ended as unknown is unknown to every later run, until it is known.
pub async fn an_unknown_effect_stays_unknown(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let call = call_of(worker, &claimed);
    begin(&b, &call).await;
    finish(&b, &call, EffectEnd::Unknown).await;
    let (worker, claimed) = next_run(&b, f, worker, &claimed).await;
    assert_eq!(begin(&b, &call_of(worker, &claimed)).await, EffectState::Unknown);
    let (worker, claimed) = next_run(&b, f, worker, &claimed).await;
    let call = call_of(worker, &claimed);
    assert_eq!(begin(&b, &call).await, EffectState::Unknown);
    finish(&b, &call, EffectEnd::Failed).await;
    assert_eq!(begin(&b, &call).await, EffectState::Intent);
}

/// Effects of other names and of other jobs are other effects.
pub async fn effects_are_told_apart_by_job_and_name(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let call = call_of(worker, &claimed);
    begin(&b, &call).await;
    finish(&b, &call, confirmed("msg-1")).await;
    assert_eq!(begin(&b, &EffectCall { name: "charge".to_owned(), ..call.clone() }).await, EffectState::Intent);
    let (other_worker, other) = b.running().await;
    assert_eq!(begin(&b, &call_of(other_worker, &other)).await, EffectState::Intent);
}

/// After an edited replay the key is another, and so the effect is a new one. // I6
pub async fn an_edited_replay_makes_new_effects(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let call = call_of(worker, &claimed);
    begin(&b, &call).await;
    finish(&b, &call, confirmed("msg-1")).await;
    b.end(worker, &claimed, a_death()).await;
    b.store.retry(&operator(), claimed.id, Some("{\"to\":\"b@example.com\"}".into())).await.expect("replays");
    let again = b.take(worker, claimed.id).await;
    let edited = call_of(worker, &again);
    assert_ne!(edited.key, call.key);
    assert_eq!(begin(&b, &edited).await, EffectState::Intent);
    finish(&b, &edited, confirmed("msg-2")).await;
    assert_eq!(begin(&b, &edited).await, EffectState::Confirmed { handle: "msg-2".to_owned() });
}

/// After a replay of the same payload, what was confirmed stays so. // I6
pub async fn a_plain_replay_keeps_its_effects(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let call = call_of(worker, &claimed);
    begin(&b, &call).await;
    finish(&b, &call, confirmed("msg-1")).await;
    b.end(worker, &claimed, a_death()).await;
    b.replay(claimed.id).await;
    let again = b.take(worker, claimed.id).await;
    assert_eq!(begin(&b, &call_of(worker, &again)).await, EffectState::Confirmed { handle: "msg-1".to_owned() });
}

/// No effect begins without a live lease, by another worker, or for another run. // I3
pub async fn beginning_is_fenced(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let other = b.worker().await;
    let call = call_of(worker, &claimed);
    let wrong = [
        EffectCall { worker: other, ..call.clone() },
        EffectCall { run: 2, ..call.clone() },
        EffectCall { run: 0, ..call.clone() },
        EffectCall { job: b.mint.job(b.now()), ..call.clone() },
    ];
    for call in wrong {
        let answer = b.store.effect_begin(&call).await;
        assert!(matches!(answer, Err(WorkError::Fenced)), "{answer:?}");
    }
    f.advance(LEASE_OVER);
    let answer = b.store.effect_begin(&call).await;
    assert!(matches!(answer, Err(WorkError::Fenced)), "a lease that is over: {answer:?}");
    let holder = b.worker().await;
    b.rescue().await;
    b.let_it_fall_due(f, claimed.id).await;
    let second = b.take(holder, claimed.id).await;
    assert_eq!(begin(&b, &call_of(holder, &second)).await, EffectState::Intent, "the fenced ones wrote nothing");
}

/// No effect begins or ends for a job that has ended or was given away. // I3
pub async fn a_run_that_is_over_is_fenced(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, done) = b.running().await;
    let call = call_of(worker, &done);
    begin(&b, &call).await;
    b.end(worker, &done, a_success()).await;
    for answer in [b.store.effect_begin(&call).await.map(drop), b.store.effect_end(&call, &confirmed("late")).await] {
        assert!(matches!(answer, Err(WorkError::Fenced)), "{answer:?}");
    }
    let (first, lost) = b.running().await;
    let old = call_of(first, &lost);
    begin(&b, &old).await;
    f.advance(LEASE_OVER);
    b.rescue().await;
    b.let_it_fall_due(f, lost.id).await;
    let second = b.worker().await;
    let new = call_of(second, &b.take(second, lost.id).await);
    let answer = b.store.effect_end(&old, &confirmed("late")).await;
    assert!(matches!(answer, Err(WorkError::Fenced)), "{answer:?}");
    assert_eq!(begin(&b, &new).await, EffectState::Unknown, "the late word changed nothing");
}
