//! Cancels and drains.

use coordination::{Nudge, Nudges};
use domain::{JobState, WaitingFor};
use runtime::{Drained, WorkerConfig};
use store::Intake;

use crate::fleet::{Fleet, Running, me};
use crate::player::SOON;
use crate::script::Step;

async fn cancel_while_it_runs(steps: &[Step]) -> domain::Job {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let id = fleet.submit(fleet.script(steps)).await;
    fleet.log.started(id, 1).await;
    fleet.store.cancel(&me(), id, None).await.expect("asked");
    fleet.coordination.nudge(Nudge::Cancel { job: id });
    let job =
        testkit::eventually("the job has ended", SOON, async || Some(fleet.get(id).await).filter(|job| job.state.is_terminal())).await;
    worker.stop().await;
    job
}

#[tokio::test]
async fn a_cancelled_handler_stops_and_its_job_is_cancelled() {
    assert_eq!(cancel_while_it_runs(&[Step::Wait]).await.state, JobState::Cancelled);
}

#[tokio::test]
async fn a_success_counts_however_late_it_was_asked_to_stop() {
    assert_eq!(cancel_while_it_runs(&[Step::FinishAnyway]).await.state, JobState::Succeeded);
}

#[tokio::test]
async fn a_handler_that_does_not_heed_a_cancel_is_aborted() {
    assert_eq!(cancel_while_it_runs(&[Step::Hang]).await.state, JobState::Cancelled);
}

#[tokio::test]
async fn a_drain_lets_jobs_finish_and_hands_back_the_rest() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let waits = fleet.submit(fleet.script(&[Step::Wait])).await;
    let late = fleet.submit(fleet.script(&[Step::FinishAnyway])).await;
    fleet.log.started(waits, 1).await;
    fleet.log.started(late, 1).await;
    let drained = worker.stop().await;
    assert_eq!(drained, Drained { finished: 1, handed_back: 1, clean: true });
    let job = fleet.get(waits).await;
    assert_eq!(
        (job.state, job.waiting_for, job.attempt, job.run),
        (JobState::Waiting, Some(WaitingFor::Time), 0, 1),
        "attempt restored, run kept"
    );
    assert_eq!(fleet.get(late).await.state, JobState::Succeeded);
    let next = fleet.worker();
    fleet.promote().await;
    fleet.log.started(waits, 1).await;
    next.stop().await;
}

/// While the last of its handlers still runs, a draining worker leaves new work to others, though it has slots for it.
#[tokio::test]
async fn a_draining_worker_claims_nothing_more() {
    let fleet = Fleet::new().await;
    let config = || WorkerConfig { slots: 4, drain_grace: SOON, ..WorkerConfig::default() };
    let Running { shutdown, task } = fleet.worker_with(config(), fleet.registry());
    let last = fleet.submit(fleet.script(&[Step::OnCue])).await;
    fleet.log.started(last, 1).await;
    shutdown.cancel();
    let id = fleet.submit(fleet.script(&[Step::Succeed])).await;
    let next = fleet.worker_with(config(), fleet.registry());
    fleet.reaches(id, JobState::Succeeded).await;
    assert_eq!(fleet.get(last).await.state, JobState::Running, "all that happened during the drain");
    fleet.log.cue.cancel();
    let drained = testkit::within("the first worker drains", SOON, task).await.expect("no panic");
    assert_eq!(drained, Drained { finished: 1, handed_back: 0, clean: true });
    let ran_by = fleet.log.ran_by.lock().clone();
    assert_eq!(ran_by.iter().map(|(job, _)| *job).collect::<Vec<_>>(), [last, id]);
    assert_ne!(ran_by[0].1, ran_by[1].1, "by two workers");
    next.stop().await;
    assert!(store::Reports::workers(&*fleet.store).await.expect("read").iter().all(|worker| !worker.live), "both have retired");
}
