//! The server restarts between two looks of the rescuer, so that no call of its fails: may it judge by leases at once?

use std::sync::Arc;

use domain::bounds::LEASE_FOR;
use store::contract::bench::Bench;
use store::contract::sample::queue;
use store::{Intake as _, Mint, Rescued, Upkeep as _};
use store_postgres::{PostgresStore, migrate};
use testkit::servers::{PrivatePostgres, Stop};

use crate::fixture::options;

/// I3: leases that look over after a restart may be of workers that could not renew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_judged_right_after_the_servers_start() {
    needs_postgres!();
    let Some(server) = PrivatePostgres::start().await else { testkit::skip!("postgres", "PostgreSQL is not installed") };
    let options = options(&server.server().admin_url());
    migrate(&options).await.expect("migrates");
    let store = Arc::new(PostgresStore::open(options).await.expect("opens"));
    store.declare_queues(&[queue()]).await.expect("declares");
    let b = Bench { store: store.clone(), mint: Mint::default() };
    let first = b.worker().await;
    store.shift_clock(LEASE_FOR * 2);
    let rescued = store.rescue(10).await.expect("rescues");
    assert_eq!(rescued.workers, [first], "a server that is known");

    b.worker().await;
    store.shift_clock(LEASE_FOR * 2);
    server.stop(Stop::Gently).await;
    server.restart().await;
    assert_eq!(store.rescue(10).await.expect("noticed by nobody"), Rescued::default());
    store.close().await;
}
