//! Hints by the express lane: claimed like those of the broker, behind them, and never needed.

use std::time::Duration;

use coordination::{Express, ExpressHint};
use domain::bounds::EXPRESS_FRESH;
use domain::{JobId, JobState};
use store::{End, Intake, Store};
use testkit::eventually;

use crate::double::Mood;
use crate::fleet::Fleet;
use crate::player::SOON;
use crate::script::Step;
use crate::stage::Stage;

fn count(stage: &Stage, outcome: &str) -> u64 {
    stage.metrics.express_hints.with_label_values(&[outcome]).get()
}

/// The jobs of the claims that were made, in order.
fn claims(stage: &Stage) -> Vec<Vec<JobId>> {
    stage.double.asked.lock().claimed.iter().map(|(claim, _)| claim.jobs.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_offered_job_is_claimed_under_its_emission() {
    let stage = Stage::new(Mood::default()).await;
    let id = stage.job(&[Step::Succeed]);
    let emission = stage.offer(&[id], Duration::ZERO);
    assert!(matches!(stage.end_of(id).await.end, End::Succeeded { .. }));
    let claimed: Vec<_> = stage.double.asked.lock().claimed.iter().map(|(claim, _)| claim.hints.clone()).collect();
    assert_eq!(claimed, [vec![emission]], "the claim takes it off the ledger");
    assert_eq!((count(&stage, "claimed"), count(&stage, "missed")), (1, 0));
    assert!(stage.stop().await.clean);
}

/// I1: the broker's copy is noise, and so is the lane's when the broker was faster.
#[tokio::test(start_paused = true)]
async fn a_job_that_came_both_ways_runs_once() {
    let stage = Stage::new(Mood::default()).await;
    let id = stage.job(&[Step::Succeed]);
    stage.offer(&[id], Duration::ZERO);
    stage.end_of(id).await;
    stage.hint(&[id]).await;
    stage.offer(&[id], Duration::ZERO);
    eventually("all three were claimed", SOON, async || claims(&stage).len() == 3).await;
    eventually("the last found nothing", SOON, async || count(&stage, "missed") == 1).await;
    assert_eq!(stage.log.started.lock().len(), 1);
    assert!(stage.stop().await.clean);
}

/// What waited for long has been with a worker by way of the broker.
#[tokio::test(start_paused = true)]
async fn a_stale_offer_is_not_looked_up() {
    let stage = Stage::new(Mood::default()).await;
    stage.at(EXPRESS_FRESH * 2).await;
    let (stale, fresh) = (stage.job(&[Step::Succeed]), stage.job(&[Step::Succeed]));
    stage.offer(&[stale], EXPRESS_FRESH);
    stage.offer(&[fresh], EXPRESS_FRESH / 2);
    stage.end_of(fresh).await;
    assert_eq!(claims(&stage), [[fresh]]);
    assert_eq!((count(&stage, "stale"), count(&stage, "claimed")), (1, 1));
    assert!(stage.stop().await.clean);
}

/// Shares and order are the broker's: what it has delivered is not overtaken.
#[tokio::test(start_paused = true)]
async fn what_the_broker_delivered_goes_first() {
    let stage = Stage::new(Mood::default()).await;
    let busy: Vec<JobId> = (0..8).map(|_| stage.job(&[Step::OnCue])).collect();
    stage.hint(&busy).await;
    eventually("every slot is taken", SOON, async || stage.log.started.lock().len() == 8).await;
    let (lone, delivered) = (stage.job(&[Step::Succeed]), stage.job(&[Step::Succeed]));
    stage.offer(&[lone], Duration::ZERO);
    stage.hint(&[delivered]).await;
    assert_eq!(claims(&stage).len(), 1, "without a slot nothing is taken");
    stage.log.cue.cancel();
    stage.end_of(lone).await;
    assert_eq!(claims(&stage)[1..], [[delivered], [lone]]);
    assert!(stage.stop().await.clean);
}

/// A hint of more jobs than there are slots free is left to the broker, which can split it.
#[tokio::test(start_paused = true)]
async fn an_offer_that_does_not_fit_is_left_to_the_broker() {
    let stage = Stage::new(Mood::default()).await;
    let busy: Vec<JobId> = (0..7).map(|_| stage.job(&[Step::OnCue])).collect();
    stage.hint(&busy).await;
    eventually("one slot is left", SOON, async || stage.log.started.lock().len() == 7).await;
    let (two, one) = ([stage.job(&[Step::Succeed]), stage.job(&[Step::Succeed])], stage.job(&[Step::Succeed]));
    stage.offer(&two, Duration::ZERO);
    stage.offer(&[one], Duration::ZERO);
    stage.end_of(one).await;
    assert_eq!(claims(&stage)[1..], [[one]]);
    stage.log.cue.cancel();
    assert!(stage.stop().await.clean);
}

/// On a store: the broker is never told of these jobs.
#[tokio::test]
async fn lone_jobs_run_without_the_broker() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let warm = fleet.submit(fleet.script(&[Step::Succeed])).await;
    fleet.reaches(warm, JobState::Succeeded).await;
    for _ in 0..5 {
        let enqueued = fleet.store.enqueue(vec![fleet.script(&[Step::Succeed])]).await.expect("enqueued");
        let (id, emission) = (enqueued.accepted[0].job, enqueued.emissions[0].clone());
        // Offered until it is claimed: one that came late is not.
        eventually("it is claimed", SOON, async || {
            fleet.coordination.offer(ExpressHint { emission: emission.clone(), at: fleet.store.now() });
            tokio::time::timeout(Duration::from_millis(50), fleet.log.started(id, 1)).await.is_ok()
        })
        .await;
        assert_eq!(fleet.reaches(id, JobState::Succeeded).await.run, 1);
        assert_eq!(fleet.attempts()[&id], 1);
    }
    worker.stop().await;
}
