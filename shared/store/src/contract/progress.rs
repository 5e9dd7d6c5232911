//! How does an operation get on? In bounded steps, in turn with others, by any number of hands, across restarts.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::bounds::PAGE_SCAN_ROWS_MAX;
use domain::{Act, JobFilter, JobId, NewJob, OperationId, OperationState, Priority, Target};

use super::Fixture;
use super::bench::Bench;
use super::sample::{listed, sorted, tenant};
use crate::Step;

const HIGH: Act = Act::Reprioritize { priority: Priority::High };

fn all() -> Target {
    Target::Jobs(JobFilter::default())
}

fn emitted(steps: &[Step]) -> Vec<JobId> {
    listed(&steps.iter().flat_map(|step| step.emissions.clone()).collect::<Vec<_>>())
}

/// A step looks at no more than it may, newest first, and the next one goes on there. // I7
pub async fn a_step_is_bounded_and_the_next_goes_on(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let ids = b.queued_many(25).await;
    for target in [all(), Target::Ids(ids.clone())] {
        let act = if target == all() { HIGH } else { Act::Cancel };
        let id = b.begin(&b.operation(act, target)).await;
        let mut looked_at = Vec::new();
        while let Some(step) = b.step(10).await {
            assert_eq!((step.operation.id, step.waits), (id, false));
            looked_at.push((step.operation.looked_at, step.operation.state));
            if act == HIGH && looked_at.len() == 1 {
                assert_eq!(listed(&step.emissions), ids[15..], "the newest come first");
            }
        }
        let (running, succeeded) = (OperationState::Running, OperationState::Succeeded);
        assert_eq!(looked_at, [(10, running), (20, running), (25, succeeded)]);
        assert_eq!(b.read_operation(id).await.done, 25);
    }
}

/// A filter that names few jobs among many takes several steps, each of a bounded scan. // I7
pub async fn a_rare_filter_takes_several_steps(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let rare = || NewJob { tags: vec!["rare".to_owned()], ..b.job() };
    let mut expected = vec![b.put(rare()).await];
    let mut left = PAGE_SCAN_ROWS_MAX + 100;
    while left > 0 {
        let batch = left.min(5_000);
        b.queued_many(batch).await;
        left -= batch;
    }
    expected.push(b.put(rare()).await);
    let filter = JobFilter { tag: Some("rare".to_owned()), ..JobFilter::default() };
    let id = b.begin(&b.operation(Act::Cancel, Target::Jobs(filter))).await;
    let done: Vec<u64> = b.steps(10).await.iter().map(|step| step.operation.done).collect();
    assert_eq!(done, [1, 2], "the first one ended where its scan did");
    assert_eq!(b.read_operation(id).await.state, OperationState::Succeeded);
    for id in expected {
        assert_eq!(b.state(id).await, domain::JobState::Cancelled);
    }
}

/// Whoever has waited longest is next, so that a large operation does not hold up a small one.
pub async fn operations_take_turns(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let ids = b.queued_many(20).await;
    let large = b.begin(&b.operation(HIGH, all())).await;
    let small = b.begin(&b.operation(Act::Cancel, Target::Ids(ids[..4].to_vec()))).await;
    let order: Vec<OperationId> = b.steps(2).await.iter().map(|step| step.operation.id).collect();
    assert_eq!(order.len(), 12, "{order:?}");
    assert_eq!(order[..4], [large, small, large, small]);
}

/// However many carry it on at once, each job is looked at once, and each step's work is done or not at all. // I9, I16
pub async fn concurrent_steps_do_not_double(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let ids = b.queued_many(200).await;
    let id = b.begin(&b.operation(HIGH, all())).await;
    let mut hands = Vec::new();
    for _ in 0..4 {
        let store = Arc::clone(&b.store);
        hands.push(tokio::spawn(async move {
            let mut steps = Vec::new();
            // One who finds nothing may have found the others at it.
            for _ in 0..100 {
                steps.extend(store.operation_step(7).await.expect("steps"));
            }
            steps
        }));
    }
    let mut steps = Vec::new();
    for hand in hands {
        steps.extend(hand.await.expect("no panic"));
    }
    steps.extend(b.steps(7).await);
    let operation = b.read_operation(id).await;
    assert_eq!((operation.state, operation.looked_at, operation.done), (OperationState::Succeeded, 200, 200));
    assert_eq!(emitted(&steps), ids, "each is listed once");
    for id in [ids[0], ids[99], ids[199]] {
        let life = b.store.timeline(&tenant(), id).await.expect("reads");
        assert_eq!(life.len(), 2, "submitted and moved: {life:#?}");
    }
    let ends = b.audit(&tenant()).await.into_iter().filter(|row| row.action == "operation.end").count();
    assert_eq!(ends, 1);
}

/// Acts of workers and operators beside it do not disturb it: each job is done or skipped.
pub async fn an_operation_races_the_workers(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (ids, worker) = (b.queued_many(120).await, b.worker().await);
    let id = b.begin(&b.operation(Act::Cancel, all())).await;
    let (store, claims) = (Arc::clone(&b.store), ids.chunks(10).map(|ids| b.claim_of(worker, ids)).collect::<Vec<_>>());
    let claiming = tokio::spawn(async move {
        let mut claimed = Vec::new();
        for claim in claims {
            claimed.extend(store.claim(&claim).await.expect("claims").jobs);
        }
        claimed
    });
    let asked: Vec<JobId> = b.steps(10).await.into_iter().flat_map(|step| step.asked).collect();
    let claimed = claiming.await.expect("no panic");
    let operation = b.read_operation(id).await;
    assert_eq!((operation.done, operation.skipped), (120, 0), "cancelled, or asked to stop");
    assert_eq!(sorted(&asked), sorted(&claimed.iter().map(|job| job.id).collect::<Vec<_>>()));
    let mut states: BTreeMap<domain::JobState, usize> = BTreeMap::new();
    for job in b.store.jobs_by_id(&tenant(), &ids).await.expect("reads") {
        *states.entry(job.state).or_default() += 1;
    }
    assert_eq!(states.values().sum::<usize>(), 120);
    assert_eq!(states.get(&domain::JobState::Running).copied().unwrap_or(0), claimed.len());
}

/// An operation goes on where it was when the process that carried it on has died.
pub async fn an_operation_goes_on_after_a_restart(f: &mut dyn Fixture) {
    let mut b = Bench::new(f).await;
    let ids = b.queued_many(9).await;
    let id = b.begin(&b.operation(HIGH, all())).await;
    let first = b.step(4).await.expect("the first step");
    f.restart().await;
    b.reopen(f);
    assert_eq!(b.read_operation(id).await, first.operation);
    let rest = b.steps(4).await;
    assert_eq!(b.read_operation(id).await.looked_at, 9);
    assert_eq!(emitted(&[vec![first], rest].concat()), ids);
}
