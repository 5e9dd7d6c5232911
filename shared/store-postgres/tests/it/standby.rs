//! What does the store make of a server that takes no writes?

use std::sync::Arc;
use std::time::Duration;

use sqlx::Executor as _;
use store::contract::bench::Bench;
use store::contract::sample::queue;
use store::{EnqueueError, Intake as _, Mint, Reports as _, StoreError};
use store_postgres::{PostgresStore, migrate};
use testkit::servers::{self, PrivatePostgres, Stop};
use testkit::{FaultProxy, eventually};

use crate::fixture::{connect, options};

const SOON: Duration = Duration::from_secs(30);

/// Reads would go on there as if nothing had happened. Once it is the primary, nobody needs to be started again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_is_told_from_a_primary_and_used_when_it_is_one() {
    let Some(primary) = PrivatePostgres::start().await else { testkit::skip!("postgres", "PostgreSQL is not installed") };
    migrate(&options(&primary.server().admin_url())).await.expect("migrates");
    let standby = primary.standby().await;
    let way = FaultProxy::start(primary.port()).await;
    let url = servers::through(&primary.server().admin_url(), way.port());
    let store = Arc::new(PostgresStore::open(options(&url)).await.expect("opens"));
    store.declare_queues(&[queue()]).await.expect("declares");
    let b = Bench { store: store.clone(), mint: Mint::default() };
    let before = b.queued().await;
    store.ping().await.expect("it is a primary");

    way.retarget(standby.port());
    primary.stop(Stop::AtOnce).await;
    eventually("the standby is told from a primary", SOON, async || match store.ping().await {
        Err(error) if error.to_string().contains("takes no writes") => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let refused = store.enqueue(vec![b.job()]).await;
    assert!(matches!(refused, Err(EnqueueError::Store(StoreError::Unavailable { .. }))), "{refused:?}");
    assert!(store.ping().await.is_err(), "a write has found out, too");

    connect(&standby.server().admin_url()).await.execute("select pg_promote()").await.expect("promotes");
    eventually("jobs are recorded", SOON, async || store.enqueue(vec![b.job()]).await.map_err(|error| format!("{error:?}"))).await;
    eventually("all is well", SOON, async || store.ping().await.map_err(|error| format!("{error:?}"))).await;
    assert!(b.find(before).await.is_some());
    store.close().await;
}
