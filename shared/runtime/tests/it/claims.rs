//! Claims: slots, priorities, lost replies.

use std::sync::atomic::Ordering;
use std::time::Duration;

use coordination::{Nudge, Nudges};
use domain::{JobState, NewJob, Priority};
use runtime::WorkerConfig;
use store::Intake;
use store_sqlite::Plan;

use crate::fleet::{Fleet, class, me};
use crate::player::SOON;
use crate::script::Step;

/// The slots are the bound, whatever is queued, hinted and submitted meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_more_jobs_run_than_there_are_slots() {
    let fleet = Fleet::new().await;
    let enqueued = fleet.store.enqueue((0..10).map(|_| fleet.script(&[Step::OnCue])).collect()).await.expect("enqueued");
    broker::Publisher::publish(&fleet.broker, &enqueued.emissions).await.expect("published");
    let worker = fleet.worker();
    let running = || fleet.log.running.load(Ordering::SeqCst);
    testkit::eventually("four run", SOON, async || running() >= 4).await;
    let mut ids: Vec<_> = enqueued.accepted.iter().map(|accepted| accepted.job).collect();
    // Each is written, hinted and would be claimed, if the worker had a slot for it.
    for _ in 0..10 {
        ids.push(fleet.submit(fleet.script(&[Step::OnCue])).await);
    }
    assert_eq!((running(), fleet.broker.depth(&class())), (4, 16), "the worker draws no hint that it has no slot for");
    let mut queued = 0;
    for id in &ids {
        queued += usize::from(fleet.get(*id).await.state == JobState::Queued);
    }
    assert_eq!(queued, 16);
    fleet.log.cue.cancel();
    for id in ids {
        fleet.reaches(id, JobState::Succeeded).await;
    }
    assert_eq!(fleet.log.running_max.load(Ordering::SeqCst), 4);
    worker.stop().await;
}

/// A handler that holds its thread holds up other handlers, but neither the lease nor claims nor the store.
#[tokio::test]
async fn a_handler_that_holds_its_thread_holds_up_nothing_else() {
    let fleet = Fleet::new().await;
    let handlers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let config = WorkerConfig { slots: 4, ..WorkerConfig::default() };
    let worker = fleet.worker_on(config, fleet.registry(), handlers.handle().clone());
    let id = fleet.submit(fleet.script(&[Step::Block])).await;
    fleet.log.started(id, 1).await;
    let other = fleet.submit(fleet.script(&[Step::Succeed])).await;
    testkit::eventually("the other is claimed", SOON, async || fleet.get(other).await.state == JobState::Running).await;
    assert_eq!(fleet.attempts().get(&other), None, "it has to wait for the only thread");
    // The handler learns of it through a renewal of the lease, and by nothing else.
    fleet.store.cancel(&me(), id, None).await.expect("asked");
    fleet.coordination.nudge(Nudge::Cancel { job: id });
    assert_eq!(fleet.reaches(id, JobState::Succeeded).await.error, None);
    fleet.reaches(other, JobState::Succeeded).await;
    worker.stop().await;
    handlers.shutdown_background();
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
    assert!(!fleet.store.planned_failures().forget(), "the claim failed");
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
