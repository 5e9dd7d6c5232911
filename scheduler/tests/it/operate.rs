//! Are operations carried on at once, to their end, and told of?

use std::collections::BTreeSet;
use std::time::Duration;

use coordination::{Nudge, Nudges};
use domain::bounds::OPERATION_STEP_JOBS;
use domain::{Act, Job, JobFilter, JobId, JobState, NewJob, NewOperation, Operation, OperationState, Priority, Target, TenantId};
use scheduler::Predecessors;
use store::{Actor, End, Reports, Steering, Step, Store};
use testkit::eventually;

use crate::bench::Bench;
use crate::running::{LONG, Running};
use crate::script::Plan;
use crate::stage::Stage;
use crate::steering::step;

const MS: Duration = Duration::from_millis(1);

fn operator() -> Actor {
    Actor { tenant: TenantId::of("default"), name: "ops".to_owned(), request_id: "req-1".to_owned() }
}

/// Begins an operation as the API does, and waits for its end.
async fn carried_out(bench: &Bench, running: &Running, act: Act, filter: JobFilter) -> Operation {
    let id = bench.mint.operation(bench.store.now());
    let new = NewOperation { id, act, target: Target::Jobs(filter), reason: "test".to_owned(), canary: None };
    bench.store.operation_begin(&operator(), &new).await.expect("begins");
    bench.nudges.nudge(Nudge::Operations);
    let passes = running.status("operate").runs;
    let operation = eventually("the operation is over", LONG, async || {
        let operation = bench.store.operation(&operator().tenant, id).await.expect("reads").expect("it was begun");
        if operation.state.is_over() { Ok(operation) } else { Err(format!("{operation:?}")) }
    })
    .await;
    running.ran("operate", passes + 1).await;
    operation
}

async fn all(bench: &Bench, ids: &[JobId]) -> Vec<Job> {
    bench.store.jobs_by_id(&operator().tenant, ids).await.expect("reads")
}

/// More jobs than a step takes are moved into another class, and the broker hears of each once more.
#[tokio::test]
async fn an_operation_is_carried_out_and_the_broker_hears_of_it() {
    let bench = Bench::new().await;
    let hints = bench.listen().await;
    let jobs = (0..OPERATION_STEP_JOBS + 100).map(|_| NewJob { priority: Priority::Low, ..bench.job() }).collect();
    let ids = bench.enqueue(jobs).await;
    let running = bench.start(Predecessors::Buried);
    running.ran("operate", 1).await;

    let operation = carried_out(&bench, &running, Act::Reprioritize { priority: Priority::Critical }, JobFilter::default()).await;
    let count = ids.len() as u64;
    assert_eq!((operation.state, operation.done, operation.skipped), (OperationState::Succeeded, count, 0));
    assert!(all(&bench, &ids).await.iter().all(|job| job.priority == Priority::Critical));
    let mut heard = BTreeSet::new();
    while heard.len() < ids.len() {
        for delivery in testkit::within("a hint arrives", LONG, hints.take(100)).await.expect("open") {
            // What the refill said of their old class is noise.
            let is_news = delivery.class().priority == Priority::Critical;
            heard.extend(delivery.jobs().iter().copied().filter(|_| is_news));
            delivery.ack();
        }
    }
    assert!(heard.into_iter().eq(ids), "each of them, and no other");
    assert_eq!(running.items("operate", "queued"), count);
    assert_eq!((running.items("operate", "steps"), running.items("operate", "succeeded")), (2, 1));
    running.stop().await;
}

/// The timers it sets are kept, and whoever runs a job hears that it shall stop.
#[tokio::test]
async fn timers_and_cancels_are_told_at_once() {
    let bench = Bench::new().await;
    let ids = bench.enqueue(vec![bench.job(), bench.job()]).await;
    let worker = bench.worker().await;
    let claimed = bench.claim(worker, &ids[..1]).await;
    let running = bench.start(Predecessors::Buried);
    running.ran("promote", 1).await;
    let mut nudges = bench.nudges.listen();

    let due = bench.store.now() + 300 * MS;
    let operation = carried_out(&bench, &running, Act::Reschedule { run_at: due }, JobFilter::default()).await;
    assert_eq!((operation.done, operation.skipped), (1, 1), "one runs");
    bench.reaches(ids[1], JobState::Queued).await;
    assert!(bench.store.now() >= due);
    let operation = carried_out(&bench, &running, Act::Cancel, JobFilter::default()).await;
    assert_eq!((operation.done, operation.skipped), (2, 0));
    assert_eq!(running.items("operate", "asked"), 1);
    let mut heard = Vec::new();
    while !heard.contains(&Nudge::Cancel { job: ids[0] }) {
        heard.extend(testkit::within("a nudge", LONG, nudges.next()).await);
    }
    assert!(heard.contains(&Nudge::Timer { at: due }), "{heard:?}");
    bench.settle(worker, &claimed, &End::Cancelled).await;
    running.stop().await;
}

fn steps(steps: impl IntoIterator<Item = Step>) -> Vec<Plan> {
    steps.into_iter().map(|step| Plan::Steps(Box::new(step))).collect()
}

/// A pass goes on as long as there is something to do; then it looks once a second, or when it is nudged.
#[tokio::test(start_paused = true)]
async fn it_goes_on_until_nothing_is_left_and_looks_when_nudged() {
    let stage = Stage::new();
    let waits = Step { waits: true, ..step(OperationState::Canary, vec![]) };
    let ends = [step(OperationState::Running, vec![stage.emission(3)]), waits, step(OperationState::Succeeded, vec![stage.emission(2)])];
    stage.steering.plan("operation_step", steps(ends));
    let running = stage.start();
    running.ran("operate", 1).await;
    assert_eq!(stage.steering.asked("operation_step"), 4);
    let did = ["steps", "queued", "asked", "succeeded", "halted"].map(|word| running.did("operate", word));
    assert_eq!(did, [2, 5, 0, 1, 0]);
    let nudged = stage.later(100 * MS).await;
    stage.nudges.nudge(Nudge::Kinds);
    stage.nudges.nudge(Nudge::Operations);
    assert_eq!(stage.steering.nth("operation_step", 5).await, nudged);
    assert_eq!(stage.steering.nth("operation_step", 6).await, nudged + 1_000 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_is_repeated_a_second_later() {
    let stage = Stage::new();
    stage.steering.plan("operation_step", [Plan::Fails]);
    stage.steering.plan("operation_step", steps([step(OperationState::Halted, vec![])]));
    let running = stage.start();
    assert_eq!(stage.steering.nth("operation_step", 2).await, 1_000 * MS);
    running.ran("operate", 2).await;
    assert_eq!((running.did("operate", "halted"), running.passes("operate", "failed")), (1, 1));
}

/// I9: however much there is to do, a pass ends, and the next one follows at once.
#[tokio::test(start_paused = true)]
async fn a_pass_is_bounded() {
    let stage = Stage::new();
    // The driver's clock stands still while steps succeed without a wait, so each takes some time here.
    let slow = |_| [Plan::TakesLong(3_000 * MS), Plan::Steps(Box::new(step(OperationState::Running, vec![])))];
    stage.steering.plan("operation_step", (0..8).flat_map(slow));
    let running = stage.start();
    running.ran("operate", 1).await;
    assert_eq!(running.did("operate", "steps"), 4, "as many as begin within ten seconds");
    running.ran("operate", 2).await;
    assert_eq!(running.items("operate", "steps"), 8);
    assert_eq!(stage.steering.nth("operation_step", 5).await, 12_000 * MS, "without a pause");
}
