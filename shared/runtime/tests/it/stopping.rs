//! Cancels and drains.

use coordination::{Nudge, Nudges};
use domain::{JobState, TenantId, WaitingFor};
use runtime::Drained;
use store::{Actor, Intake};

use crate::fleet::{Fleet, Step};

fn me() -> Actor {
    Actor { tenant: TenantId::of("default"), name: "test".to_owned(), request_id: "r".to_owned() }
}

async fn cancel_while_it_runs(steps: &[Step]) -> domain::Job {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let id = fleet.submit(fleet.script(steps)).await;
    fleet.log.started(id, 1).await;
    fleet.store.cancel(&me(), id, None).await.expect("asked");
    fleet.coordination.nudge(Nudge::Cancel { job: id });
    let job = testkit::eventually("the job has ended", crate::fleet::SOON, async || {
        Some(fleet.get(id).await).filter(|job| job.state.is_terminal())
    })
    .await;
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

#[tokio::test]
async fn a_draining_worker_claims_nothing_more() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    assert!(worker.stop().await.clean);
    let id = fleet.submit(fleet.script(&[Step::Succeed])).await;
    assert_eq!(fleet.get(id).await.state, JobState::Queued);
    assert!(store::Reports::workers(&*fleet.store).await.expect("read").iter().all(|worker| !worker.live), "it has retired");
}
