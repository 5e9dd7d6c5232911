//! Each outcome of a handler leads where policy says.

use std::time::Duration;

use domain::{FailureClass, JobState, NewJob, WaitingFor};
use kinds::Kind;

use crate::fleet::Fleet;
use crate::player::SOON;
use crate::script::{Step, Unwritable};

#[tokio::test]
async fn a_success_keeps_its_result() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let id = fleet.submit(fleet.script(&[Step::Succeed])).await;
    let job = fleet.reaches(id, JobState::Succeeded).await;
    assert_eq!((job.result.as_deref(), job.attempt, job.run), (Some("\"done at attempt 1\""), 1, 1));
    assert!(worker.stop().await.clean);
}

/// I8: a retry is a recorded state, and the next attempt a claim like any other.
#[tokio::test]
async fn a_transient_failure_is_tried_again() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let id = fleet.submit(fleet.script(&[Step::Fail, Step::Fail, Step::Succeed])).await;
    let job = fleet.reaches(id, JobState::Succeeded).await;
    assert_eq!((job.attempt, job.run), (3, 3));
    worker.stop().await;
}

#[tokio::test]
async fn the_last_attempt_is_the_last() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let id = fleet.submit(fleet.script(&[Step::Fail])).await;
    let job = fleet.reaches(id, JobState::Dead).await;
    assert_eq!((job.attempt, job.error.map(|error| error.code)), (3, Some("scripted".to_owned())));
    assert_eq!(fleet.attempts()[&id], 3);
    worker.stop().await;
}

#[tokio::test]
async fn a_permanent_failure_dies_at_once() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let id = fleet.submit(fleet.script(&[Step::Refuse])).await;
    assert_eq!(fleet.reaches(id, JobState::Dead).await.attempt, 1);
    worker.stop().await;
}

#[tokio::test]
async fn a_rate_limit_waits_and_costs_no_attempt() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let id = fleet.submit(fleet.script(&[Step::RateLimited])).await;
    let job = fleet.reaches(id, JobState::Waiting).await;
    assert_eq!((job.waiting_for, job.attempt, job.run), (Some(WaitingFor::RateLimit), 0, 1));
    worker.stop().await;
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt_and_nothing_else() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let id = fleet.submit(fleet.script(&[Step::Panic, Step::Succeed])).await;
    let other = fleet.submit(fleet.script(&[Step::Succeed])).await;
    assert_eq!(fleet.reaches(id, JobState::Succeeded).await.attempt, 2);
    fleet.reaches(other, JobState::Succeeded).await;
    assert!(worker.stop().await.clean);
}

#[tokio::test]
async fn a_timeout_asks_then_counts_as_a_failed_attempt() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let short = NewJob { timeout: Duration::from_millis(100), max_attempts: 1, ..fleet.script(&[Step::Wait]) };
    let id = fleet.submit(short).await;
    let job = fleet.reaches(id, JobState::Dead).await;
    assert_eq!(job.error.map(|error| error.class), Some(FailureClass::Timeout));
    worker.stop().await;
}

#[tokio::test]
async fn a_handler_that_does_not_heed_its_timeout_is_aborted() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let short = NewJob { timeout: Duration::from_millis(100), max_attempts: 1, ..fleet.script(&[Step::Hang]) };
    let id = fleet.submit(short).await;
    let job = fleet.reaches(id, JobState::Dead).await;
    assert_eq!(job.error.map(|error| error.class), Some(FailureClass::Timeout));
    assert_eq!(fleet.log.running.load(std::sync::atomic::Ordering::SeqCst), 0, "its future is gone");
    worker.stop().await;
}

/// I10: the reason names the place, not what is there.
#[tokio::test]
async fn a_payload_that_does_not_decode_dies_at_once_with_a_reason() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let id = fleet.submit(fleet.job("test.script", r#"{"steps": "hush-hush"}"#)).await;
    let error = fleet.reaches(id, JobState::Dead).await.error.expect("a reason");
    assert_eq!(error.code, "invalid_payload");
    assert!(!error.message.contains("hush-hush"), "{}", error.message);
    worker.stop().await;
}

/// A second attempt would end in the same way, so there is none.
#[tokio::test]
async fn a_result_that_cannot_be_kept_kills_the_job_and_says_why() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let rows = [(fleet.script(&[Step::Boast]), "result_too_large"), (fleet.job(Unwritable::NAME, "{}"), "result_not_json")];
    for (job, code) in rows {
        let id = fleet.submit(job).await;
        let job = fleet.reaches(id, JobState::Dead).await;
        assert_eq!((job.error.map(|error| error.code), job.attempt, job.result), (Some(code.to_owned()), 1, None));
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_job_of_an_unknown_kind_waits_for_a_worker_that_knows_it() {
    let fleet = Fleet::new().await;
    let ignorant = fleet.worker_with(runtime::WorkerConfig::default(), runtime::Registry::default());
    let id = fleet.submit(fleet.script(&[Step::Succeed])).await;
    let parked = fleet.reaches(id, JobState::Waiting).await;
    assert_eq!((parked.waiting_for, parked.attempt), (Some(WaitingFor::NoWorker), 0));
    ignorant.stop().await;
    let worker = fleet.worker();
    testkit::eventually("the kind is known and the job released", SOON, async || {
        let released = store::Upkeep::release(&*fleet.store, 10).await.expect("released");
        broker::Publisher::publish(&fleet.broker, &released.emissions).await.expect("published");
        released.released == 1
    })
    .await;
    assert_eq!(fleet.reaches(id, JobState::Succeeded).await.attempt, 1);
    worker.stop().await;
}
