//! Is there always a partition for what comes, and does making one stop nobody?

use std::sync::Arc;
use std::time::Duration;

use domain::bounds::PARTITIONS_AHEAD;
use sqlx::Executor as _;
use store::contract::bench::Bench;
use store::contract::sample::{PLENTY, a_success, queue};
use store::{Intake as _, Mint, Prepared, Reports as _, StoreError, Upkeep as _};
use store_postgres::{PostgresOptions, PostgresStore, migrate};
use testkit::within;

use crate::fixture::{Database, empty_database, options};

/// Short spans, so that a database need not grow old.
const SPAN: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(30);

fn short(database: &Database) -> PostgresOptions {
    PostgresOptions { partition_span: SPAN, ..options(&database.url()) }
}

async fn opened(database: &Database) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::open(short(database)).await.expect("opens"))
}

async fn migrated() -> Database {
    let database = empty_database().await;
    migrate(&short(&database)).await.expect("migrates");
    database
}

fn bench(store: &Arc<PostgresStore>) -> Bench {
    Bench { store: store.clone(), mint: Mint::default() }
}

#[tokio::test]
async fn preparing_keeps_ahead_of_the_time() {
    needs_postgres!();
    let database = migrated().await;
    let store = opened(&database).await;
    let ahead = PARTITIONS_AHEAD;
    assert_eq!(store.prepare().await.expect("prepares"), Prepared { made: 0, ahead }, "migrating has made them");
    store.shift_clock(SPAN * 5);
    store.ping().await.expect("three are left");
    assert_eq!(store.prepare().await.expect("prepares"), Prepared { made: 5, ahead });
    assert_eq!(store.prepare().await.expect("prepares"), Prepared { made: 0, ahead });
    store.shift_clock(SPAN * 500);
    assert_eq!(store.prepare().await.expect("prepares"), Prepared { made: 10, ahead }, "also after a long sleep");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_number_may_prepare() {
    needs_postgres!();
    let database = migrated().await;
    let mut preparing = Vec::new();
    for _ in 0..3 {
        let store = opened(&database).await;
        store.shift_clock(SPAN * 5);
        preparing.push(tokio::spawn(async move {
            let prepared = store.prepare().await.expect("prepares");
            store.close().await;
            prepared
        }));
    }
    let mut made = 0;
    for preparing in preparing {
        let prepared = within("the preparation", LONG, preparing).await.expect("no panic");
        assert_eq!(prepared.ahead, PARTITIONS_AHEAD);
        made += prepared.made;
    }
    assert_eq!(made, 5);
}

/// Without any scheduler: the store is not well, says why, and helps itself when a job comes all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_without_partitions_is_not_well_and_helps_itself() {
    needs_postgres!();
    let database = migrated().await;
    let store = opened(&database).await;
    store.declare_queues(&[queue()]).await.expect("declares");
    store.shift_clock(SPAN * 8);
    let Err(StoreError::Unavailable { source, .. }) = store.ping().await else { panic!("the last one has begun") };
    assert!(source.to_string().contains("no partition"), "{source}");
    store.shift_clock(SPAN * 3);
    let b = bench(&store);
    let id = within("the job", LONG, b.queued()).await;
    let worker = b.worker().await;
    let claimed = b.take(worker, id).await;
    b.end(worker, &claimed, a_success()).await;
    store.ping().await.expect("partitions were made on the way");
    store.close().await;
}

/// Who reads and who writes go on while partitions are made, even in transactions that do not end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn making_partitions_stops_nobody_and_waits_for_nobody() {
    needs_postgres!();
    let database = migrated().await;
    let store = opened(&database).await;
    store.declare_queues(&[queue()]).await.expect("declares");
    let b = bench(&store);
    let ids = b.queued_many(2).await;
    let mut others = Vec::new();
    for statement in ["select count(*) from job", "update job set progress = null", "select 1 from effect"] {
        let mut other = database.connect().await;
        other.execute("begin").await.expect("begins");
        other.execute(statement).await.expect("runs");
        others.push(other);
        if statement.starts_with("update") {
            // Not the rows that the worker wants.
            others.pop();
        }
    }
    store.shift_clock(SPAN * 3);
    let prepared = within("the preparation", Duration::from_secs(5), store.prepare()).await.expect("prepares");
    assert_eq!(prepared.made, 3);
    let worker = b.worker().await;
    assert_eq!(b.claim(worker, &ids).await.len(), 2);
    assert_eq!(store.promote(PLENTY).await.expect("promotes").promoted, 0);
    drop(others);
    store.close().await;
}
