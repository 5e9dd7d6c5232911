//! How do writes share commits, and how do they part when one of them is bad?

use std::sync::Arc;
use std::time::Duration;

use domain::{JobId, NewJob};
use store::contract::Fixture;
use store::contract::bench::Bench;
use store::{EnqueueError, Reports as _, StoreError};
use store_sqlite::{Plan, SqliteOptions, SqliteStore};
use testkit::{Scratch, eventually};

use crate::fixture::SqliteFixture;

const SOON: Duration = Duration::from_secs(5);

/// Calls that wait for the writer together, so that they make one group; returns their outcomes in order.
async fn together(f: &SqliteFixture, batches: Vec<Vec<NewJob>>) -> Vec<Result<(), EnqueueError>> {
    let held = f.store.planned_failures().hold_writer().await.expect("nobody closes the gate");
    let mut calls = Vec::new();
    for (before, batch) in batches.into_iter().enumerate() {
        let store = f.store();
        calls.push(tokio::spawn(async move { store.enqueue(batch).await.map(drop) }));
        // The writer holds the first in its hand; the others queue behind it, in this order.
        let waiting = move |store: &SqliteStore| store.writes_waiting() >= before;
        eventually("the call waits", SOON, async || waiting(&f.store)).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_guilty_of_a_group_fails() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    // Zero attempts break a rule of the table: a bug of the caller's that only the database notices.
    let batches: Vec<Vec<NewJob>> = (0..5).map(|n| vec![b.job(), NewJob { max_attempts: if n == 2 { 0 } else { 1 }, ..b.job() }]).collect();
    let ids: Vec<Vec<JobId>> = batches.iter().map(|batch| batch.iter().map(|job| job.id).collect()).collect();
    let outcomes = together(&f, batches).await;
    for (n, outcome) in outcomes.iter().enumerate() {
        let broken = matches!(outcome, Err(EnqueueError::Store(StoreError::Broken { .. })));
        assert_eq!((outcome.is_err(), broken), (n == 2, n == 2), "{n}: {outcome:?}");
        assert_eq!(exist(&b, &ids[n]).await, if n == 2 { 0 } else { 2 });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_fails_for_a_moment_succeeds_one_by_one() {
    for statement in 0..3 {
        let f = SqliteFixture::new().await;
        let b = Bench::new(&f).await;
        let batches: Vec<Vec<NewJob>> = (0..3).map(|_| vec![b.job()]).collect();
        f.store.planned_failures().plan(Plan::FailAt(statement));
        let outcomes = together(&f, batches).await;
        let spared = f.store.planned_failures().forget();
        assert!(outcomes.iter().all(Result::is_ok), "{statement}: {outcomes:?}");
        // Statement 1 is the commit of the whole group: an operation of it alone has one statement.
        assert_eq!(spared, statement > 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_nobody_waits_for_any_more_is_skipped() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    let held = f.store.planned_failures().hold_writer().await.expect("nobody closes the gate");
    let (store, job) = (f.store(), b.job());
    let id = job.id;
    let mut call = Box::pin(async move { store.enqueue(vec![job]).await });
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx).is_pending())).await;
    assert!(polled, "it waits");
    drop(call);
    drop(held);
    b.queued().await;
    assert_eq!(exist(&b, &[id]).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_waits_no_longer_than_its_deadline() {
    let scratch = Scratch::new();
    let options = SqliteOptions { write_deadline: Duration::from_millis(20), ..SqliteOptions::new(scratch.join("a.db")) };
    let store = SqliteStore::open(options).await.expect("opens");
    let held = store.planned_failures().hold_writer().await.expect("nobody closes the gate");
    let refused = store::Upkeep::promote(&store, 1).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    drop(held);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_finishes_what_waits_and_refuses_what_comes() {
    let mut f = SqliteFixture::new().await;
    let mut b = Bench::new(&f).await;
    let held = f.store.planned_failures().hold_writer().await.expect("nobody closes the gate");
    let (store, jobs) = (f.store(), vec![b.job()]);
    let id = jobs[0].id;
    let last = tokio::spawn(async move { store.enqueue(jobs).await });
    // One write after another reaches the writer; this one is in its hand when nothing waits but itself.
    let (store, second) = (f.store(), b.job());
    let behind = tokio::spawn(async move { store.enqueue(vec![second]).await });
    eventually("one is in hand, one waits", SOON, async || f.store.writes_waiting() == 1).await;
    let closing = tokio::spawn({
        let store = Arc::clone(&f.store);
        async move { store.close().await }
    });
    eventually("the close waits too", SOON, async || f.store.writes_waiting() == 2).await;
    drop(held);
    closing.await.expect("closes");
    last.await.expect("no panic").expect("it came before the close");
    behind.await.expect("no panic").expect("it came before the close");
    let refused = f.store().enqueue(vec![b.job()]).await;
    assert!(matches!(refused, Err(EnqueueError::Store(StoreError::Unavailable { .. }))), "{refused:?}");
    let log = f.path().with_extension("db-wal");
    assert!(!log.exists(), "the log was checkpointed away");
    f.restart().await;
    b.reopen(&f);
    assert_eq!(exist(&b, &[id]).await, 1);
    f.store.ping().await.expect("answers");
}

/// A killed process leaves a log behind; the next start finds everything that was answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_a_kill() {
    let mut f = SqliteFixture::new().await;
    let mut b = Bench::new(&f).await;
    let ids = b.queued_many(100).await;
    f.restart().await;
    b.reopen(&f);
    assert_eq!(exist(&b, &ids).await, 100);
    assert_eq!(f.violations().await, Vec::<String>::new());
}

/// A disk that is full is said as such, by the call and by a ping, until a write succeeds.
#[tokio::test]
async fn a_full_disk_shows_until_there_is_room() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    f.store.planned_failures().plan(Plan::NoSpace);
    let refused = f.store().enqueue(vec![b.job()]).await;
    assert!(matches!(refused, Err(EnqueueError::Store(StoreError::Full { .. }))), "{refused:?}");
    assert!(matches!(f.store.ping().await, Err(StoreError::Full { .. })));
    f.store().enqueue(vec![b.job()]).await.expect("there is room again");
    f.store.ping().await.expect("well again");
}
