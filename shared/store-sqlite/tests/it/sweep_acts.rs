//! Does an act, or a step of an operation, that fails at any of its statements leave everything as it was?

use std::sync::Arc;

use domain::{Act, DeadFilter, JobFilter, NewJob, OperationState, Priority, Target};
use store::contract::bench::{Bench, settlement};
use store::contract::ending::Ending;
use store::contract::sample::{DAY, HOUR, PLENTY, SECOND, a_death, a_failure, a_success, class, no_worker, operator, tenant};
use store::{End, Settlement};
use store_sqlite::Plan;

use crate::fixture::SqliteFixture;
use crate::sweep::{rich, sweep};
use store::contract::Fixture as _;

#[tokio::test]
async fn cancel_waiting() {
    sweep(
        async |_, b| b.put(NewJob { run_at: Some(b.now() + HOUR), ..rich(b, "k") }).await,
        async |store, id| store.cancel(&operator(), *id, Some("why not")).await.map(drop),
    )
    .await;
}

#[tokio::test]
async fn cancel_running() {
    sweep(async |_, b| b.running().await.1.id, async |store, id| store.cancel(&operator(), *id, None).await.map(drop)).await;
}

#[tokio::test]
async fn retry() {
    sweep(
        async |_, b| {
            let (worker, claimed) = b.running_of(rich(b, "k")).await;
            b.end(worker, &claimed, a_death()).await;
            claimed.id
        },
        async |store, id| store.retry(&operator(), *id, Some(Arc::from("[]"))).await.map(drop),
    )
    .await;
}

#[tokio::test]
async fn reprioritize() {
    let urgent = Priority::Critical;
    sweep(async |_, b| b.queued().await, async |store, id| store.reprioritize(&operator(), *id, urgent, None).await.map(drop)).await;
    sweep(
        async |_, b| {
            let id = b.queued().await;
            b.store.park(&class(), &[id], &no_worker()).await.expect("parks");
            id
        },
        async |store, id| store.reprioritize(&operator(), *id, urgent, Some("it matters")).await.map(drop),
    )
    .await;
}

#[tokio::test]
async fn reschedule_and_run_now() {
    sweep(
        async |_, b| (b.put(rich(b, "k")).await, b.now() + HOUR),
        async |store, (id, at)| store.reschedule(&operator(), *id, *at, Some("later")).await.map(drop),
    )
    .await;
    sweep(
        async |_, b| b.put(NewJob { run_at: Some(b.now() + HOUR), ..rich(b, "k") }).await,
        async |store, id| store.run_now(&operator(), *id, None).await.map(drop),
    )
    .await;
}

/// Jobs in every state that an act can find them in.
async fn all_kinds(b: &Bench, f: &SqliteFixture) {
    for ending in [Ending::Succeeded, Ending::Dead, Ending::CancelledQueued] {
        ending.reach(b, f, rich(b, &format!("{ending:?}"))).await;
    }
    let (worker, claimed) = b.running_of(b.job()).await;
    b.end(worker, &claimed, End::Retry { at: b.now() + HOUR, failure: a_failure() }).await;
    b.running().await;
    b.queued().await;
    b.waiting_until(b.now() + DAY).await;
}

#[tokio::test]
async fn operation_begin() {
    sweep(
        async |_, b| b.operation(Act::RunNow, Target::Jobs(JobFilter::default())),
        async |store, new| store.operation_begin(&operator(), new).await.map(drop),
    )
    .await;
}

#[tokio::test]
async fn operation_step() {
    for n in 0..5 {
        sweep(
            async |f, b| {
                all_kinds(b, f).await;
                let acts = [
                    Act::Cancel,
                    Act::Retry,
                    Act::Reprioritize { priority: Priority::Bulk },
                    Act::Reschedule { run_at: b.now() + DAY },
                    Act::RunNow,
                ];
                b.begin(&b.operation(acts[n], Target::Jobs(JobFilter::default()))).await
            },
            async |store, _| store.operation_step(PLENTY).await.map(drop),
        )
        .await;
    }
}

/// The step that looks at canaries, when it goes on and when it halts.
#[tokio::test]
async fn operation_step_with_canaries() {
    for end in [a_success(), a_death()] {
        sweep(
            async |f, b| {
                for _ in 0..3 {
                    Ending::Dead.reach(b, f, b.job()).await;
                }
                let new = domain::NewOperation { canary: Some(1), ..b.operation(Act::Retry, Target::Dead(DeadFilter::default())) };
                b.begin(&new).await;
                let canary = b.steps(PLENTY).await[0].emissions[0].jobs[0];
                let worker = b.worker().await;
                let claimed = b.take(worker, canary).await;
                b.end(worker, &claimed, end.clone()).await;
                f.advance(SECOND);
            },
            async |store, ()| store.operation_step(PLENTY).await.map(drop),
        )
        .await;
    }
}

/// A beginning, a step and an act whose replies were lost leave nothing doubled when they are repeated.
#[tokio::test]
async fn lost_replies_of_operations_are_repeated_without_harm() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    let lose = || f.store.planned_failures().plan(Plan::LoseReply);
    let ids = b.queued_many(5).await;
    let new = b.operation(Act::Reprioritize { priority: Priority::High }, Target::Jobs(JobFilter::default()));
    lose();
    f.store().operation_begin(&operator(), &new).await.expect_err("the reply is lost");
    let once = f.dump().await;
    f.store().operation_begin(&operator(), &new).await.expect("repeats");
    assert_eq!(f.dump().await, once);
    lose();
    f.store().operation_step(3).await.expect_err("the reply is lost");
    let steps = b.steps(3).await;
    let operation = b.read_operation(new.id).await;
    assert_eq!((operation.state, operation.looked_at, operation.done), (OperationState::Succeeded, 5, 5));
    assert_eq!(steps.iter().map(|step| step.operation.looked_at).collect::<Vec<_>>(), [5]);
    for id in ids {
        assert_eq!(b.store.timeline(&tenant(), id).await.expect("reads").len(), 2);
    }
    let (worker, claimed) = b.running().await;
    let end: Settlement = settlement(&claimed, a_success());
    lose();
    f.store().settle(worker, std::slice::from_ref(&end)).await.expect_err("the reply is lost");
    f.store().settle(worker, &[end]).await.expect("repeats");
    let counted: u64 = b.store.throughput(domain::Timestamp::default()).await.expect("reads").iter().map(|row| row.succeeded).sum();
    assert_eq!(counted, 1);
}
