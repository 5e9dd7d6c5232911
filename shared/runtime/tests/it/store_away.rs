//! A store that answers late, says no, or says nothing at all: what was done is found again, and nothing grows without bound.

use std::time::Duration;

use domain::bounds::{FLUSH_JOBS_MAX, LEASE_FOR, LEASE_RENEW_EVERY, SETTLE_BUFFER_MAX};
use runtime::Drained;
use store::End;
use testkit::eventually;

use crate::double::Mood;
use crate::player::SOON;
use crate::script::Step;
use crate::stage::{SLOTS, Stage};

const SECOND: Duration = Duration::from_secs(1);

/// The claim happened, its answer never came: the worker asks by the claim's id, and a renewal meanwhile names it, or its jobs would
/// be handed back as a stranger's.
#[tokio::test(start_paused = true)]
async fn a_claim_without_an_answer_is_looked_up() {
    let stage = Stage::new(Mood { loses_claims: true, ..Mood::default() }).await;
    let id = stage.job(&[Step::Succeed]);
    stage.at(LEASE_RENEW_EVERY - SECOND).await;
    stage.hint(&[id]).await;
    stage.at(LEASE_RENEW_EVERY + SECOND).await;
    let claim = stage.double.asked.lock().claimed[0].0.id;
    let held = stage.double.asked.lock().renewed.last().map(|(renewal, _)| renewal.held.clone());
    assert_eq!(held, Some(vec![claim]), "in flight, and named");
    assert!(matches!(stage.end_of(id).await.end, End::Succeeded { .. }));
    assert_eq!((stage.log.started.lock().len(), stage.double.asked.lock().claimed.len()), (1, 1), "claimed once, run once");
    stage.stop().await;
}

/// I3: counted from before the registration was sent.
#[tokio::test(start_paused = true)]
async fn a_slow_registration_makes_no_lease_longer() {
    let stage = Stage::new(Mood { registration_takes: SECOND * 3, renewals_left: Some(0), ..Mood::default() }).await;
    let id = stage.runs(&[Step::Wait]).await;
    eventually("it was told to stop", SOON * 2, async || !stage.log.stopped.lock().is_empty()).await;
    assert_eq!(*stage.log.stopped.lock(), [(id, stage.start + LEASE_FOR)]);
    stage.stop().await;
}

/// I3: whichever call it hears of it by.
#[tokio::test(start_paused = true)]
async fn a_claim_that_is_fenced_ends_the_term() {
    let stage = Stage::new(Mood::default()).await;
    let running = stage.runs(&[Step::Wait]).await;
    stage.double.mood.lock().fences_claims = true;
    let id = stage.runs(&[Step::Succeed]).await;
    assert!(matches!(stage.end_of(id).await.end, End::Succeeded { .. }));
    assert_eq!((stage.workers().len(), stage.double.end_of(running)), (2, None), "a new id, and what ran is not its any more");
    assert_eq!(stage.log.stopped.lock()[0].0, running);
    assert_eq!(stage.metrics.worker_fenced.with_label_values(&["fenced"]).get(), 1);
    assert!(stage.stop().await.clean);
}

/// I3: it does not wait for the end of a lease that it has no more.
#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_fenced_ends_the_term_at_once() {
    let stage = Stage::new(Mood { fences_renewals: true, ..Mood::default() }).await;
    let id = stage.runs(&[Step::Wait]).await;
    eventually("it was told to stop", SOON * 2, async || !stage.log.stopped.lock().is_empty()).await;
    assert_eq!(*stage.log.stopped.lock(), [(id, stage.start + LEASE_RENEW_EVERY)]);
    assert_eq!(stage.metrics.worker_fenced.with_label_values(&["fenced"]).get(), 1);
    stage.stop().await;
}

/// I3 I6: the effect was made, but this run is over: its outcome is not this run's to record, and neither is the job's.
#[tokio::test(start_paused = true)]
async fn an_effect_that_ends_too_late_ends_its_run() {
    let stage = Stage::new(Mood { fences_ends: true, ..Mood::default() }).await;
    let id = stage.runs(&[Step::Effect]).await;
    eventually("it was refused", SOON, async || *stage.log.refused.lock() == ["lease_over"]).await;
    stage.at(LEASE_RENEW_EVERY + SECOND).await;
    assert_eq!(stage.double.end_of(id), None);
    assert_eq!(stage.double.asked.lock().renewed.last().map(|(renewal, _)| renewal.held.len()), Some(0), "nor is it held");
    stage.stop().await;
}

/// Nobody may have acted on the lease yet: what succeeds in its last moments is still told, under the id it was claimed by.
#[tokio::test(start_paused = true)]
async fn a_success_right_after_the_lease_is_told() {
    let stage = Stage::new(Mood { renewals_left: Some(0), ..Mood::default() }).await;
    let id = stage.runs(&[Step::FinishAnyway]).await;
    assert!(matches!(eventually("it is told", SOON * 2, async || stage.double.end_of(id)).await.end, End::Succeeded { .. }));
    assert!(stage.start.elapsed() >= LEASE_FOR);
    let teller = stage.double.asked.lock().settled[0].0;
    assert_eq!(teller, stage.workers()[0]);
    stage.stop().await;
}

/// Who may not claim holds no hints that others could.
#[tokio::test(start_paused = true)]
async fn between_two_terms_nobody_is_subscribed() {
    let stage = Stage::new(Mood { renewals_left: Some(0), registers_nobody_else: true, ..Mood::default() }).await;
    eventually("it is subscribed", SOON, async || stage.broker.subscriptions() == 1).await;
    stage.at(LEASE_FOR + SECOND).await;
    assert_eq!(stage.broker.subscriptions(), 0);
    stage.double.mood.lock().registers_nobody_else = false;
    eventually("it is subscribed again", SOON, async || stage.broker.subscriptions() == 1).await;
    stage.stop().await;
}

/// I7: what has ended and cannot be told holds its slot when the buffer is full.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_recorded_is_bounded() {
    const MOST: usize = SETTLE_BUFFER_MAX + FLUSH_JOBS_MAX + SLOTS as usize;
    let stage = Stage::new(Mood { hears_no_end: true, ..Mood::default() }).await;
    let jobs: Vec<_> = (0..MOST + 1_000).map(|_| stage.job(&[Step::Succeed])).collect();
    for some in jobs.chunks(32) {
        stage.hint(some).await;
    }
    stage.at(SECOND * 30).await;
    let started = stage.log.started.lock().len();
    assert!(started > SETTLE_BUFFER_MAX && started <= MOST, "{started} have started, {MOST} may");
    stage.double.mood.lock().hears_no_end = false;
    eventually("all are told", SOON * 2, async || stage.double.asked.lock().settled.len() == jobs.len()).await;
    stage.stop().await;
}

/// An operator drains a worker through the store.
#[tokio::test(start_paused = true)]
async fn a_drain_asked_for_through_the_store_is_heeded() {
    let stage = Stage::new(Mood::default()).await;
    let id = stage.runs(&[Step::Wait]).await;
    stage.double.mood.lock().drains = true;
    let double = std::sync::Arc::clone(&stage.double);
    assert_eq!(stage.drained().await, Drained { finished: 0, handed_back: 1, clean: true });
    assert!(double.end_of(id).is_some());
}
