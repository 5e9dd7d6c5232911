//! What goes on when something is in short supply: peers that answer, locks, connections?

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::bounds::LEASE_RENEW_TIMEOUT;
use domain::{JobState, Progress};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use store::contract::bench::{Bench, settlement};
use store::contract::sample::{a_success, queue, tenant};
use store::{Intake as _, Mint, Renewal, Renewed, Reports as _, StoreError, Work as _};
use store_postgres::{PostgresOptions, PostgresStore, migrate};
use testkit::servers;
use testkit::{FaultProxy, Mode, eventually, within};

use crate::fixture::{database, empty_database, options};

const SOON: Duration = Duration::from_secs(30);
const ROUNDS: usize = 3;
/// More than there are readers.
const CALLS: usize = 12;

async fn open(options: PostgresOptions) -> (Arc<PostgresStore>, Bench) {
    let store = Arc::new(PostgresStore::open(options).await.expect("opens"));
    store.declare_queues(&[queue()]).await.expect("declares");
    let b = Bench { store: store.clone(), mint: Mint::default() };
    (store, b)
}

/// How many readers wait for a lock now.
async fn waiting(watcher: &mut PgConnection) -> i64 {
    let waiting = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name = 'flotilla reader' and wait_event_type = 'Lock'";
    watcher.fetch_one(waiting).await.expect("counts").get(0)
}

async fn locked(table: &str, holder: &mut PgConnection) {
    let lock = format!("begin; lock table {table} in access exclusive mode");
    holder.execute(AssertSqlSafe(lock)).await.expect("locks");
}

/// A pool whose permits went with the connections to dead peers would serve ever fewer (launchbadge/sqlx#4349).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_often_a_peer_falls_silent_all_readers_and_lanes_come_back() {
    needs_postgres!();
    let database = database().await;
    let proxy = FaultProxy::start(servers::postgres().expect("looked").port()).await;
    let url = servers::through(&database.url(), proxy.port());
    let brief = Duration::from_secs(3);
    let (store, b) = open(PostgresOptions { write_deadline: brief, read_deadline: brief, ..options(&url) }).await;
    let id = b.queued().await;
    for round in 0..ROUNDS {
        proxy.set(Mode::HalfOpen);
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..CALLS {
            let (store, job) = (Arc::clone(&store), b.job());
            calls.spawn(async move { (store.workers().await.is_err(), store.enqueue(vec![job]).await.is_err()) });
        }
        let begun = Instant::now();
        let failed = within("every call", SOON, calls.join_all()).await;
        assert!(failed.iter().all(|failed| *failed == (true, true)), "round {round}: {failed:?}");
        assert!(begun.elapsed() < SOON, "one after the other: {:?}", begun.elapsed());
        proxy.set(Mode::Pass);
        eventually("jobs are accepted", SOON, async || store.enqueue(vec![b.job()]).await.map_err(|error| format!("{error:?}"))).await;
    }

    let (mut holder, mut watcher) = (database.connect().await, database.connect().await);
    let mut tried = 0;
    eventually("as many reads as there are readers go on at the same time", SOON, async || {
        tried += 1;
        locked("job", &mut holder).await;
        let mut reads = tokio::task::JoinSet::new();
        for _ in 0..CALLS {
            let store = Arc::clone(&store);
            reads.spawn(async move { store.job(&tenant(), id).await });
        }
        let mut most = 0;
        while reads.try_join_next().is_none() && most < 4 {
            most = most.max(waiting(&mut watcher).await);
        }
        holder.execute("rollback").await.expect("lets go");
        reads.join_all().await;
        if most == 4 { Ok(()) } else { Err(format!("{most} of 4, try {tried}")) }
    })
    .await;
    store.close().await;
}

/// A renewal that waited for the jobs would cost the lease, and with it everything that runs. // I3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_renewed_although_all_jobs_are_locked() {
    needs_postgres!();
    let database = database().await;
    let (store, b) = open(PostgresOptions { write_deadline: Duration::from_secs(2), ..options(&database.url()) }).await;
    let (worker, held) = b.running().await;
    let stranger = b.take(worker, b.queued().await).await;
    let asked = b.take(worker, b.queued().await).await;
    b.cancel(asked.id).await.expect("asks");
    let progress = vec![(held.id, held.run, Progress { percent: 50, message: None })];
    store.shift_clock(Duration::from_secs(1));
    let renewal = Renewal { worker, as_of: b.now(), held: vec![held.claim, asked.claim], progress, marks: Vec::new(), ended: Vec::new() };

    let (mut holder, mut watcher) = (database.connect().await, database.connect().await);
    locked("job", &mut holder).await;
    let until = "select lease_until from worker";
    let before: i64 = watcher.fetch_one(until).await.expect("reads").get(0);
    store.shift_clock(Duration::from_secs(1));
    let renewed = within("the renewal", LEASE_RENEW_TIMEOUT, store.renew(&renewal)).await.expect("renews");
    assert_eq!(renewed, Renewed::default(), "what needs the jobs is left to the next");
    let after: i64 = watcher.fetch_one(until).await.expect("reads").get(0);
    assert!(after > before, "{before} {after}");
    let settled = within("the end", SOON, store.settle(worker, &[settlement(&held, a_success())])).await;
    assert!(matches!(settled, Err(StoreError::Unavailable { .. })), "{settled:?}");
    let taken = within("the submission", SOON, store.enqueue(vec![b.job()])).await;
    assert!(matches!(taken, Err(store::EnqueueError::Store(StoreError::Unavailable { .. }))), "{taken:?}");

    holder.execute("rollback").await.expect("lets go");
    let renewed = store.renew(&renewal).await.expect("renews");
    assert_eq!((renewed.handed_back, renewed.cancels.as_slice()), (1, [(asked.id, asked.run)].as_slice()), "nothing is forgotten");
    assert_eq!((b.state(stranger.id).await, b.read(held.id).await.progress.map(|at| at.percent)), (JobState::Waiting, Some(50)));
    assert_eq!(store.settle(worker, &[settlement(&held, a_success())]).await.expect("settles").lost, []);
    store.close().await;
}

/// A caller that was refused must not leave work behind that goes on without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    const SLOW: &str = "create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(120); return new; end $$;
        create trigger slow before insert on job for each row execute function slow()";
    needs_postgres!();
    // Not one that other tests use afterwards.
    let database = empty_database().await;
    migrate(&options(&database.url())).await.expect("migrates");
    let (store, b) = open(PostgresOptions { write_deadline: Duration::from_secs(1), ..options(&database.url()) }).await;
    let mut admin = database.connect().await;
    admin.execute(SLOW).await.expect("makes a trigger");
    let refused = within("the submission", SOON, store.enqueue(vec![b.job()])).await;
    assert!(matches!(refused, Err(store::EnqueueError::Store(StoreError::Unavailable { .. }))), "{refused:?}");
    let busy = "select 1 from pg_stat_activity
        where datname = current_database() and application_name = 'flotilla intake' and state <> 'idle'";
    eventually("the server has ended it", SOON, async || sqlx::query(busy).fetch_optional(&mut admin).await.is_ok_and(|row| row.is_none()))
        .await;
    admin.execute("drop trigger slow on job").await.expect("nobody holds the table");
    b.queued().await;
    let jobs: i64 = admin.fetch_one("select count(*) from job").await.expect("counts").get(0);
    assert_eq!(jobs, 1, "what was refused is not there");
    store.close().await;
}

/// People who look through lists cannot keep programs from looking up a key, a job, or how the store is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_leave_a_reader_to_those_who_want_one_row() {
    needs_postgres!();
    let database = database().await;
    let (store, b) = open(PostgresOptions { read_deadline: Duration::from_secs(12), ..options(&database.url()) }).await;
    let id = b.queued().await;
    let (mut holder, mut watcher) = (database.connect().await, database.connect().await);
    locked("job_event", &mut holder).await;
    let mut lists = tokio::task::JoinSet::new();
    for _ in 0..CALLS {
        let store = Arc::clone(&store);
        lists.spawn(async move { store.timeline(&tenant(), id).await });
    }
    eventually("lists wait", SOON, async || waiting(&mut watcher).await == 3).await;
    // Much less than the lists wait.
    let at_once = Duration::from_secs(5);
    within("a ping", at_once, store.ping()).await.expect("answers");
    assert!(within("a job", at_once, store.job(&tenant(), id)).await.expect("reads").is_some());
    let key = ["k".to_owned()];
    assert_eq!(within("a key", at_once, store.remembered(&tenant(), &key)).await.expect("looks"), [None]);
    let outcomes = within("the lists", SOON, lists.join_all()).await;
    assert!(outcomes.iter().all(|list| matches!(list, Err(StoreError::Unavailable { .. }))), "each gives up in its time: {outcomes:?}");
    holder.execute("rollback").await.expect("lets go");
    store.timeline(&tenant(), id).await.expect("all is well again");
    store.close().await;
}
