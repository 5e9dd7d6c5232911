//! A lease ends by the worker's own clock, whatever the store does not say. I3.

use std::time::Duration;

use domain::JobId;
use domain::bounds::{CANCEL_GRACE, LEASE_FOR, LEASE_RENEW_EVERY};
use store::End;
use testkit::eventually;

use crate::double::Mood;
use crate::player::SOON;
use crate::script::Step;
use crate::stage::Stage;

const SECOND: Duration = Duration::from_secs(1);

/// A store that answers no renewal.
fn deaf() -> Mood {
    Mood { renewals_left: Some(0), ..Mood::default() }
}

/// I3: counted from when the last renewal that was answered was sent, not from when the answer came.
#[tokio::test(start_paused = true)]
async fn a_worker_that_cannot_renew_stops_by_its_own_clock() {
    let stage = Stage::new(Mood { renewals_left: Some(1), renewal_takes: SECOND * 2, ..Mood::default() }).await;
    let over = LEASE_RENEW_EVERY + LEASE_FOR;
    let (polite, deaf) = (stage.runs(&[Step::Wait]).await, stage.runs(&[Step::Hang]).await);
    // Its handlers are still to be aborted: it may have slots, but no right to claim.
    stage.at(over + SECOND).await;
    assert_eq!(*stage.log.stopped.lock(), [(polite, stage.start + over)]);
    let late = stage.job(&[Step::Succeed]);
    stage.hint(&[late]).await;
    assert_eq!(stage.end_of(late).await.end, End::Succeeded { result: Some("\"done at attempt 1\"".into()) });

    judge_the_change_of_id(&stage, &[polite, deaf, late]);
    assert_eq!(stage.metrics.worker_fenced.with_label_values(&["not_renewed"]).get(), 1);
    assert!(stage.stop().await.clean);
}

/// The first two jobs ran under the first id until its lease was over, the third under the second.
fn judge_the_change_of_id(stage: &Stage, jobs: &[JobId; 3]) {
    let over = stage.start + LEASE_RENEW_EVERY + LEASE_FOR;
    let asked = stage.double.asked.lock();
    let [(first, _), (second, at)] = asked.registered[..] else { panic!("one new id, and one only: {:?}", asked.registered) };
    assert_eq!(at, over + CANCEL_GRACE, "when the last handler was aborted");
    let claimed: Vec<_> = asked.claimed.iter().map(|(claim, _)| (claim.jobs.as_slice(), claim.worker)).collect();
    assert_eq!(claimed, [(&jobs[..1], first), (&jobs[1..2], first), (&jobs[2..], second)]);
    assert!(asked.renewed.iter().all(|(renewal, at)| renewal.worker != first || *at <= over), "no renewal of what is over");
    assert_eq!(asked.settled.len(), 1, "what ended with the lease is nobody's to tell");
}

/// A job that begins when everything else was already told to stop: the claim was answered too late.
#[tokio::test(start_paused = true)]
async fn a_job_that_was_claimed_too_late_stops_at_once() {
    let stage = Stage::new(Mood { claim_takes: SECOND * 3, ..deaf() }).await;
    let id = stage.job(&[Step::Wait]);
    stage.at(LEASE_FOR - SECOND).await;
    stage.hint(&[id]).await;
    stage.log.started(id, 1).await;
    eventually("it was told to stop", SOON, async || !stage.log.stopped.lock().is_empty()).await;
    assert_eq!(*stage.log.stopped.lock(), [(id, stage.start + LEASE_FOR + SECOND * 2)]);
    stage.stop().await;
}

/// I3 I6: the ledger is not even asked.
#[tokio::test(start_paused = true)]
async fn an_effect_after_the_lease_is_refused() {
    let stage = Stage::new(deaf()).await;
    stage.runs(&[Step::EffectAfterStop]).await;
    eventually("it was refused", SOON * 2, async || *stage.log.refused.lock() == ["lease_over"]).await;
    assert!(stage.start.elapsed() >= LEASE_FOR && stage.double.asked.lock().effects.is_empty() && stage.log.effects.lock().is_empty());
    stage.stop().await;
}

/// I3 I6: the intent was recorded in time, but the answer took longer than the lease.
#[tokio::test(start_paused = true)]
async fn an_effect_whose_intent_outlasts_the_lease_is_refused() {
    let stage = Stage::new(Mood { effect_takes: SECOND * 3, ..deaf() }).await;
    let id = stage.runs(&[Step::EffectOnCue]).await;
    stage.at(LEASE_FOR - SECOND).await;
    stage.log.cue.cancel();
    eventually("it was refused", SOON, async || *stage.log.refused.lock() == ["lease_over"]).await;
    assert_eq!(stage.double.asked.lock().effects, [id]);
    assert!(stage.log.effects.lock().is_empty(), "announced, not made");
    stage.stop().await;
}

/// I3: one run is somebody else's now; the worker and its other jobs are not.
#[tokio::test(start_paused = true)]
async fn one_fenced_job_does_not_stop_the_others() {
    let stage = Stage::new(Mood::default()).await;
    let other = stage.runs(&[Step::OnCue]).await;
    let id = stage.job(&[Step::Effect]);
    stage.double.mood.lock().fenced = Some(id);
    stage.hint(&[id]).await;
    eventually("it was refused", SOON, async || *stage.log.refused.lock() == ["lease_over"]).await;
    stage.at(LEASE_RENEW_EVERY + SECOND).await;
    let claim_of_other = stage.double.asked.lock().claimed[0].0.id;
    let held = stage.double.asked.lock().renewed.last().map(|(renewal, _)| renewal.held.clone());
    assert_eq!(held, Some(vec![claim_of_other]), "the fenced job's claim is not held any more");
    stage.log.cue.cancel();
    assert!(matches!(stage.end_of(other).await.end, End::Succeeded { .. }));
    assert_eq!((stage.workers().len(), stage.double.end_of(id)), (1, None));
    assert!(stage.log.effects.lock().is_empty());
    assert!(stage.stop().await.clean);
}
