//! Does an act that fails at any of its statements leave everything as it was, on one job and on many?

use std::time::Duration;

use domain::{Act, JobFilter, JobId, JobState, NewJob, NewOperation, OperationState, Priority, Target};
use store::Settlement;
use store::contract::Fixture as _;
use store::contract::bench::Bench;
use store::contract::sample::{HOUR, a_death, class, no_worker, operator, tenant};
use store_postgres::Plan;

use crate::fixture::PostgresFixture;
use crate::sweep::{rich, rich_running, sweep};

fn operation(b: &Bench, act: Act, target: Target) -> NewOperation {
    NewOperation { id: b.mint.operation(b.now()), act, target, reason: "why not".to_owned(), canary: None }
}

async fn begin(b: &Bench, act: Act, target: Target) {
    b.store.operation_begin(&operator(), &operation(b, act, target)).await.expect("begins");
}

/// One that waits for its time, one that is queued, one that is parked.
async fn not_running(b: &Bench) -> Vec<JobId> {
    let later = b.put(NewJob { run_at: Some(b.now() + HOUR), ..rich(b, "later") }).await;
    let (queued, parked) = (b.put(rich(b, "queued")).await, b.put(rich(b, "parked")).await);
    assert_eq!(b.store.park(&class(), &[parked], &no_worker()).await.expect("parks"), 1);
    vec![later, queued, parked]
}

async fn dead(b: &Bench, count: usize) -> Vec<JobId> {
    let (worker, ends) = rich_running(b, count).await;
    let ends: Vec<Settlement> = ends.into_iter().map(|end| Settlement { end: a_death(), ..end }).collect();
    assert_eq!(b.store.settle(worker, &ends).await.expect("settles").lost, []);
    ends.iter().map(|end| end.job).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reprioritize() {
    needs_postgres!();
    for n in 0..3 {
        sweep(
            async move |_, b| not_running(b).await[n],
            async |store, id| store.reprioritize(&operator(), *id, Priority::High, Some("urgent")).await.map(drop),
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reschedule() {
    needs_postgres!();
    for n in 0..2 {
        sweep(
            async move |_, b| (not_running(b).await[n], b.now() + HOUR * 2),
            async |store, (id, at)| store.reschedule(&operator(), *id, *at, None).await.map(drop),
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_now() {
    needs_postgres!();
    sweep(async |_, b| not_running(b).await[0], async |store, id| store.run_now(&operator(), *id, None).await.map(drop)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operation_begin() {
    needs_postgres!();
    sweep(
        async |_, b| operation(b, Act::Cancel, Target::Jobs(JobFilter::default())),
        async |store, new| store.operation_begin(&operator(), new).await.map(drop),
    )
    .await;
}

/// Each act on jobs in each state that allows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operation_step() {
    needs_postgres!();
    for n in 0..5 {
        sweep(
            async move |_, b| {
                not_running(b).await;
                dead(b, 3).await;
                b.running_of(rich(b, "running")).await;
                let at = b.now() + HOUR * 2;
                let acts =
                    [Act::Cancel, Act::Retry, Act::Reprioritize { priority: Priority::High }, Act::Reschedule { run_at: at }, Act::RunNow];
                begin(b, acts[n], Target::Jobs(JobFilter::default())).await;
            },
            async |store, ()| {
                let step = store.operation_step(100).await?.expect("there is one");
                assert!(step.operation.state == OperationState::Succeeded && step.operation.done > 0, "{step:?}");
                Ok::<_, store::StoreError>(())
            },
        )
        .await;
    }
}

/// A beginning whose reply was lost is repeated: there is one operation, and it is done once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_beginning_is_repeated_without_harm() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let id = b.queued().await;
    let new = operation(&b, Act::Cancel, Target::Ids(vec![id]));
    f.store.planned_failures().plan(Plan::LoseReply);
    f.store().operation_begin(&operator(), &new).await.expect_err("the reply is lost");
    let begun = f.dump().await;
    f.store().operation_begin(&operator(), &new).await.expect("repeats");
    assert_eq!(f.dump().await, begun);
    f.store.planned_failures().plan(Plan::LoseReply);
    f.store().operation_step(10).await.expect_err("the reply is lost");
    assert_eq!(f.store().operation_step(10).await.expect("looks"), None, "it was done");
    let after = f.store().operation(&tenant(), new.id).await.expect("reads").expect("is there");
    assert_eq!((after.state, after.done, b.state(id).await), (OperationState::Succeeded, 1, JobState::Cancelled));
}

/// However many jobs a step looks at, it is a handful of statements.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_is_a_handful_of_statements() {
    needs_postgres!();
    const JOBS: usize = 300;
    const STATEMENTS: u32 = 25;
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let at = b.now() + HOUR;
    let acts = [Act::Reprioritize { priority: Priority::High }, Act::Reschedule { run_at: at }, Act::RunNow, Act::Cancel, Act::Retry];
    b.queued_many(JOBS).await;
    for act in acts {
        begin(&b, act, Target::Jobs(JobFilter::default())).await;
        f.store.planned_failures().plan(Plan::FailAt(STATEMENTS));
        let step = f.store().operation_step(JOBS + 1).await.expect("goes on").expect("there is one");
        assert!(f.store.planned_failures().forget(), "{act:?} took {STATEMENTS} statements");
        assert_eq!((step.operation.done, step.operation.state), (JOBS as u64, OperationState::Succeeded), "{act:?}");
        f.advance(Duration::from_millis(1));
    }
    assert_eq!(f.violations().await, Vec::<String>::new());
}
