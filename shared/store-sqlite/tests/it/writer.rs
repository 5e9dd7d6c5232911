//! Is the writer there for those who cannot wait, and does it outlive what goes wrong in it?

use std::sync::Arc;
use std::time::Duration;

use domain::NewJob;
use domain::bounds::{LEASE_FOR, PAYLOAD_BYTES_MAX};
use store::contract::Fixture as _;
use store::contract::bench::Bench;
use store::{Reports as _, StoreError, Upkeep as _};
use store_sqlite::{Plan, SqliteOptions, SqliteStore};
use testkit::{Scratch, eventually};

use crate::fixture::SqliteFixture;

const SOON: Duration = Duration::from_secs(5);

/// A healthy worker's renewal does not stand behind a crowd of batches.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_overtakes_what_fills_the_store() {
    const CROWD: usize = 12;
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    let worker = b.worker().await;
    let held = f.store.planned_failures().hold_writer().await.expect("nobody closes the gate");
    let payload: Arc<str> = format!("\"{}\"", "x".repeat(PAYLOAD_BYTES_MAX - 2)).into();
    let mut calls = Vec::new();
    let mut ids = Vec::new();
    for before in 0..CROWD {
        let batch: Vec<NewJob> = (0..5).map(|_| NewJob { payload: Arc::clone(&payload), ..b.job() }).collect();
        ids.push(batch[0].id);
        let store = f.store();
        calls.push(tokio::spawn(async move { store.enqueue(batch).await.map(drop) }));
        eventually("the call waits", SOON, async || f.store.writes_waiting() >= before).await;
    }
    let (store, renewal) = (
        f.store(),
        store::Renewal { worker, as_of: b.now(), held: Vec::new(), progress: Vec::new(), marks: Vec::new(), ended: Vec::new() },
    );
    let renewing = tokio::spawn(async move { store.renew(&renewal).await });
    eventually("the renewal waits too", SOON, async || f.store.writes_waiting() >= CROWD).await;
    drop(held);
    renewing.await.expect("no panic").expect("renews");
    for call in calls {
        call.await.expect("no panic").expect("is recorded");
    }
    let lease_until = f.store.workers().await.expect("lists")[0].lease_until;
    let mut before = 0;
    for id in ids {
        before += usize::from(b.read(id).await.created_at + LEASE_FOR < lease_until);
    }
    assert!(before <= 1, "{before} of {CROWD} batches went first; only the one in hand may");
}

#[tokio::test]
async fn a_panic_is_the_fault_of_its_operation_alone() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    f.store.planned_failures().plan(Plan::Panic);
    let broken = f.store.promote(1).await;
    assert!(matches!(broken, Err(StoreError::Broken { .. })), "{broken:?}");
    b.queued().await;
    f.store.ping().await.expect("the writer lives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_writer_shows_in_a_ping() {
    let scratch = Scratch::new();
    let options = SqliteOptions { write_deadline: Duration::from_millis(50), ..SqliteOptions::new(scratch.join("a.db")) };
    let store = SqliteStore::open(options).await.expect("opens");
    store.ping().await.expect("is well");
    let held = store.planned_failures().hold_writer().await.expect("nobody closes the gate");
    store.ping().await.expect("a writer with nothing to do is well");
    assert!(matches!(store.promote(1).await, Err(StoreError::Unavailable { .. })));
    let stuck = store.ping().await;
    assert!(matches!(stuck, Err(StoreError::Unavailable { .. })), "{stuck:?}");
    drop(held);
    eventually("the writer is well again", SOON, async || store.ping().await.is_ok()).await;
    store.close().await;
}
