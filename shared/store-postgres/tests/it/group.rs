//! How do writes share commits, and how do they part when one of them is bad?

use std::sync::Arc;
use std::time::Duration;

use domain::{JobId, JobState, NewJob};
use store::contract::Fixture as _;
use store::contract::bench::{Bench, settlement};
use store::contract::sample::{a_success, idempotency};
use store::{EnqueueError, Reports as _, StoreError, Upkeep as _};
use store_postgres::{Plan, PostgresOptions, PostgresStore};
use testkit::eventually;

use crate::fixture::{PostgresFixture, database, options};

const SOON: Duration = Duration::from_secs(10);

/// Calls of which all but the first wait together for the first one's commit, so that they make one flush; their outcomes in order.
async fn together(f: &PostgresFixture, batches: Vec<Vec<NewJob>>) -> Vec<Result<(), EnqueueError>> {
    let held = f.store.planned_failures().hold_writer().await.expect("nobody closes the gate");
    let mut calls = Vec::new();
    for (before, batch) in batches.into_iter().enumerate() {
        let store = f.store();
        calls.push(tokio::spawn(async move { store.enqueue(batch).await.map(drop) }));
        // The first must be in hand before the second comes: they would make one flush.
        eventually("the call waits", SOON, async || f.store.is_writing() && f.store.writes_waiting() >= before).await;
    }
    drop(held);
    let mut outcomes = Vec::new();
    for call in calls {
        outcomes.push(call.await.expect("no panic"));
    }
    outcomes
}

async fn exist(b: &Bench, ids: &[JobId]) -> usize {
    let mut found = 0;
    for id in ids {
        found += usize::from(b.find(*id).await.is_some());
    }
    found
}

/// Zero attempts break a rule of the table: a bug of the caller's that only the database notices.
async fn only_the_guilty_fails(with_keys: bool) {
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let idempotency = |n: usize| if with_keys { idempotency(&n.to_string(), 1) } else { None };
    let bad = |n: usize| NewJob { max_attempts: if n % 4 == 2 { 0 } else { 1 }, idempotency: idempotency(n), ..b.job() };
    let batches: Vec<Vec<NewJob>> = (0..9).map(|n| vec![b.job(), bad(n)]).collect();
    let ids: Vec<Vec<JobId>> = batches.iter().map(|batch| batch.iter().map(|job| job.id).collect()).collect();
    let outcomes = together(&f, batches).await;
    for (n, outcome) in outcomes.iter().enumerate() {
        let broken = matches!(outcome, Err(EnqueueError::Store(StoreError::Broken { .. })));
        assert_eq!((outcome.is_err(), broken), (n % 4 == 2, n % 4 == 2), "{n}: {outcome:?}");
        assert_eq!(exist(&b, &ids[n]).await, if n % 4 == 2 { 0 } else { 2 });
    }
    assert_eq!(f.violations().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_guilty_of_a_flush_fails() {
    needs_postgres!();
    only_the_guilty_fails(false).await;
    only_the_guilty_fails(true).await;
}

/// A lane's group that fails for a moment succeeds one by one, wherever it failed; after a panic, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_fails_for_a_moment_succeeds_one_by_one() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    for plan in [Plan::FailAt(0), Plan::FailAt(1), Plan::Panic] {
        let mut running = Vec::new();
        for _ in 0..3 {
            running.push(b.running().await);
        }
        let held = f.store.planned_failures().hold_writer().await.expect("nobody closes the gate");
        let mut calls = Vec::new();
        for (before, (worker, claimed)) in running.iter().enumerate() {
            let (store, worker, end) = (f.store(), *worker, settlement(claimed, a_success()));
            calls.push(tokio::spawn(async move { store.settle(worker, &[end]).await }));
            // The lane holds the first in its hand, before it looks who else is there.
            eventually("the call waits", SOON, async || f.store.writes_waiting() >= before).await;
        }
        f.store.planned_failures().plan(plan);
        drop(held);
        for call in calls {
            let settled = call.await.expect("no panic").unwrap_or_else(|error| panic!("{plan:?}: {error:?}"));
            assert_eq!(settled.lost, []);
        }
        assert!(!f.store.planned_failures().forget(), "{plan:?} happened");
        for (_, claimed) in running {
            assert_eq!(b.state(claimed.id).await, JobState::Succeeded);
        }
    }
    assert_eq!(f.violations().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_nobody_waits_for_any_more_is_skipped() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let held = f.store.planned_failures().hold_writer().await.expect("nobody closes the gate");
    let first = tokio::spawn({
        let (store, job) = (f.store(), b.job());
        async move { store.enqueue(vec![job]).await }
    });
    let (store, job) = (f.store(), b.job());
    let id = job.id;
    let mut call = Box::pin(async move { store.enqueue(vec![job]).await });
    eventually("the call waits", SOON, async || {
        let pending = std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx).is_pending())).await;
        pending && f.store.writes_waiting() >= 1
    })
    .await;
    drop(call);
    drop(held);
    first.await.expect("no panic").expect("is recorded");
    b.queued().await;
    assert_eq!(exist(&b, &[id]).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_waits_no_longer_than_its_deadline_and_a_stuck_lane_shows() {
    needs_postgres!();
    let database = database().await;
    let options = PostgresOptions { write_deadline: Duration::from_millis(200), ..options(&database.url()) };
    let store = PostgresStore::open(options).await.expect("opens");
    store.ping().await.expect("is well");
    let held = store.planned_failures().hold_writer().await.expect("nobody closes the gate");
    store.ping().await.expect("lanes with nothing to do are well");
    let refused = store.promote(1).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    eventually("the lane is late", SOON, async || matches!(store.ping().await, Err(StoreError::Unavailable { .. }))).await;
    drop(held);
    eventually("the lane is well again", SOON, async || store.ping().await.is_ok()).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_finishes_what_waits_and_refuses_what_comes() {
    needs_postgres!();
    let mut f = PostgresFixture::new().await;
    let mut b = Bench::new(&f).await;
    let held = f.store.planned_failures().hold_writer().await.expect("nobody closes the gate");
    let (store, jobs) = (f.store(), vec![b.job()]);
    let id = jobs[0].id;
    let last = tokio::spawn(async move { store.enqueue(jobs).await });
    // One that comes at the same time goes with it; the one after that waits.
    let mut behind = Vec::new();
    eventually("one is in hand, one waits", SOON, async || {
        let waits = f.store.writes_waiting() > 0;
        if !waits {
            let (store, job) = (f.store(), b.job());
            behind.push(tokio::spawn(async move { store.enqueue(vec![job]).await }));
        }
        waits
    })
    .await;
    let closing = tokio::spawn({
        let store = Arc::clone(&f.store);
        async move { store.close().await }
    });
    drop(held);
    last.await.expect("no panic").expect("it came before the close");
    for behind in behind {
        behind.await.expect("no panic").expect("it came before the close");
    }
    closing.await.expect("closes");
    let refused = f.store().enqueue(vec![b.job()]).await;
    assert!(matches!(refused, Err(EnqueueError::Store(StoreError::Unavailable { .. }))), "{refused:?}");
    assert!(matches!(f.store.ping().await, Err(StoreError::Unavailable { .. })));
    f.store.close().await;
    f.restart().await;
    b.reopen(&f);
    assert_eq!(exist(&b, &[id]).await, 1);
    f.store.ping().await.expect("answers");
}

#[tokio::test]
async fn a_panic_is_the_fault_of_its_operation_alone() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    f.store.planned_failures().plan(Plan::Panic);
    let broken = f.store.promote(1).await;
    assert!(matches!(broken, Err(StoreError::Broken { .. })), "{broken:?}");
    f.store.promote(1).await.expect("the lane lives");
    b.queued().await;
    f.store.ping().await.expect("the writers live");
}
