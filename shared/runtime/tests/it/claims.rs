//! Claims: slots, priorities, lost replies.

use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::{JobState, NewJob, Priority};
use runtime::WorkerConfig;
use store::Intake;
use store_sqlite::Plan;

use crate::fleet::{Fleet, SOON, Step};

#[tokio::test]
async fn never_more_jobs_run_than_there_are_slots() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(fleet.submit(fleet.script(&[Step::Talk])).await);
    }
    for id in ids {
        fleet.reaches(id, JobState::Succeeded).await;
    }
    assert!(fleet.log.running_max.load(Ordering::SeqCst) <= 4);
    worker.stop().await;
}

/// I1: stale, doubled and unknown hints are noise, and their slots are free again.
#[tokio::test]
async fn noise_costs_no_slot() {
    let fleet = Fleet::new().await;
    let job = fleet.script(&[Step::Succeed]);
    let enqueued = fleet.store.enqueue(vec![job]).await.expect("enqueued");
    let unknown = domain::Emission { jobs: vec![fleet.script(&[]).id; 8], ..enqueued.emissions[0].clone() };
    for _ in 0..20 {
        broker::Publisher::publish(&fleet.broker, &[unknown.clone(), enqueued.emissions[0].clone()]).await.expect("published");
    }
    let worker = fleet.worker();
    let id = enqueued.accepted[0].job;
    fleet.reaches(id, JobState::Succeeded).await;
    let last = fleet.submit(fleet.script(&[Step::Succeed])).await;
    fleet.reaches(last, JobState::Succeeded).await;
    assert_eq!(fleet.attempts()[&id], 1, "run once, hinted twenty times");
    worker.stop().await;
}

#[tokio::test]
async fn saturated_classes_share_the_slots_by_weight() {
    let fleet = Fleet::new().await;
    let mut jobs = Vec::new();
    for priority in Priority::ALL {
        jobs.extend((0..40).map(|_| NewJob { priority, ..fleet.script(&[Step::Succeed]) }));
    }
    let enqueued = fleet.store.enqueue(jobs).await.expect("enqueued");
    broker::Publisher::publish(&fleet.broker, &enqueued.emissions).await.expect("published");
    let one_slot = WorkerConfig { slots: 1, ..WorkerConfig::default() };
    let worker = fleet.worker_with(one_slot, fleet.registry());
    testkit::eventually("31 jobs have started", SOON, async || fleet.log.started.lock().len() >= 31).await;
    let first: Vec<_> = fleet.log.started.lock().iter().take(31).map(|(id, _)| *id).collect();
    let mut counts = [0_u32; 5];
    for id in first {
        counts[usize::from(fleet.get(id).await.priority.code())] += 1;
    }
    assert_eq!(counts, [1, 2, 4, 8, 16]);
    worker.stop().await;
}

/// The claim happened, the reply was lost: the worker finds what it took and runs it, once.
#[tokio::test]
async fn a_claim_whose_reply_was_lost_is_adopted() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let warm = fleet.submit(fleet.script(&[Step::Succeed])).await;
    fleet.reaches(warm, JobState::Succeeded).await;
    let enqueued = fleet.store.enqueue(vec![fleet.script(&[Step::Succeed])]).await.expect("enqueued");
    fleet.store.planned_failures().plan(Plan::LoseReply);
    broker::Publisher::publish(&fleet.broker, &enqueued.emissions).await.expect("published");
    let id = enqueued.accepted[0].job;
    let job =
        testkit::eventually("the job succeeds", SOON, async || Some(fleet.get(id).await).filter(|job| job.state == JobState::Succeeded))
            .await;
    assert!(!fleet.store.planned_failures().forget(), "the reply was lost");
    assert_eq!((job.attempt, job.run, fleet.attempts()[&id]), (1, 1, 1));
    worker.stop().await;
}

/// The claim did not happen: the hint is offered again.
#[tokio::test]
async fn a_claim_that_failed_is_tried_again() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let warm = fleet.submit(fleet.script(&[Step::Succeed])).await;
    fleet.reaches(warm, JobState::Succeeded).await;
    let enqueued = fleet.store.enqueue(vec![fleet.script(&[Step::Succeed])]).await.expect("enqueued");
    fleet.store.planned_failures().plan(Plan::FailAt(0));
    broker::Publisher::publish(&fleet.broker, &enqueued.emissions).await.expect("published");
    let id = enqueued.accepted[0].job;
    let job =
        testkit::eventually("the job succeeds", SOON, async || Some(fleet.get(id).await).filter(|job| job.state == JobState::Succeeded))
            .await;
    assert_eq!((job.attempt, job.run), (1, 1));
    worker.stop().await;
}

/// The store does not take an end: it waits in the worker, is tried again, and is recorded once.
#[tokio::test]
async fn ends_are_kept_while_the_store_does_not_take_them() {
    for plan in [Plan::FailAt(0), Plan::LoseReply] {
        let fleet = Fleet::new().await;
        let worker = fleet.worker();
        let id = fleet.submit(NewJob { timeout: Duration::from_millis(300), ..fleet.script(&[Step::FinishAnyway]) }).await;
        fleet.log.started(id, 1).await;
        // The next write is the settle: the handler waits for its timeout, and the first renewal is seconds away.
        fleet.store.planned_failures().plan(plan);
        let job =
            testkit::eventually("the end is recorded", SOON, async || Some(fleet.get(id).await).filter(|job| job.state.is_terminal()))
                .await;
        assert!(!fleet.store.planned_failures().forget(), "{plan:?} happened");
        assert_eq!((job.state, job.run, job.attempt), (JobState::Succeeded, 1, 1));
        assert!(worker.stop().await.clean);
    }
}
