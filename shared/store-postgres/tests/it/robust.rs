//! What happens when the network or the server fails? Calls fail soon and say so, and all works again by itself, nothing doubled.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{EffectState, JobState, NewJob};
use sqlx::Executor as _;
use store::contract::bench::{Bench, settlement};
use store::contract::sample::{PLENTY, a_success, idempotency, no_worker, queue, tenant};
use store::{EffectCall, EffectEnd, Intake as _, Ledger as _, Mint, Renewal, Reports as _, StoreError, Upkeep as _, Work as _, WorkError};
use store_postgres::{PostgresOptions, PostgresStore, migrate};
use testkit::servers::{self, PrivatePostgres, Stop};
use testkit::{FaultProxy, Mode, eventually, within};

use crate::dump;
use crate::fixture::{Database, database, options};

const LONG: Duration = Duration::from_secs(60);
/// How soon a dead peer must be noticed.
const DETECTED: Duration = Duration::from_secs(30);
/// How soon all must work again after the server is back.
const BACK: Duration = Duration::from_secs(10);

/// A store that reaches its database through a proxy.
struct Proxied {
    database: Database,
    proxy: FaultProxy,
    store: Arc<PostgresStore>,
    b: Bench,
}

impl Proxied {
    async fn new() -> Self {
        let database = database().await;
        let port = servers::postgres().expect("the caller has looked").port();
        let proxy = FaultProxy::start(port).await;
        let url = servers::through(&database.url(), proxy.port());
        let store = Arc::new(PostgresStore::open(options(&url)).await.expect("opens"));
        store.declare_queues(&[queue()]).await.expect("declares");
        let b = Bench { store: store.clone(), mint: Mint::default() };
        Self { database, proxy, store, b }
    }

    async fn assert_sound(&self) {
        assert_eq!(dump::violations(&self.database.url()).await, Vec::<String>::new());
    }
}

/// One call of each lane and of the readers, all at the same time; which of them fail, and how long the slowest took.
async fn try_everything(store: &Arc<PostgresStore>, b: &Bench, worker: domain::WorkerId) -> (Vec<String>, Duration) {
    let begun = Instant::now();
    let renewal = Renewal { worker, as_of: b.now(), held: Vec::new(), progress: Vec::new(), marks: Vec::new(), ended: Vec::new() };
    let call = EffectCall { worker, job: b.mint.job(b.now()), run: 1, name: "n".to_owned(), key: "k".to_owned() };
    let missing = b.mint.job(b.now());
    let (tenant, queues, jobs, parking) = (tenant(), [queue()], vec![b.job()], no_worker());
    let claim = b.claim_of(worker, &[missing]);
    let (intake, claims, ends, leases, effects, acts, duties, read, ping) = tokio::join!(
        store.enqueue(jobs),
        store.claim(&claim),
        store.park(&claim.class, &claim.jobs, &parking),
        store.renew(&renewal),
        store.effect_begin(&call),
        store.declare_queues(&queues),
        store.promote(PLENTY),
        store.job(&tenant, missing),
        store.ping(),
    );
    let mut failed = Vec::new();
    let mut note = |lane: &str, error: Option<String>| failed.extend(error.map(|error| format!("{lane}: {error}")));
    note("intake", intake.err().map(|error| format!("{error:?}")));
    note("claims", claims.err().map(|error| format!("{error:?}")));
    note("ends", ends.err().map(|error| format!("{error:?}")));
    note("leases", leases.err().map(|error| format!("{error:?}")));
    // Nobody runs that job: to be told so is an answer.
    note("effects", effects.err().filter(|error| !matches!(error, WorkError::Fenced)).map(|error| format!("{error:?}")));
    note("acts", acts.err().map(|error| format!("{error:?}")));
    note("duties", duties.err().map(|error| format!("{error:?}")));
    note("read", read.err().map(|error| format!("{error:?}")));
    note("ping", ping.err().map(|error| format!("{error:?}")));
    (failed, begun.elapsed())
}

async fn all_is_well(store: &Arc<PostgresStore>, b: &Bench, worker: domain::WorkerId) -> Result<(), String> {
    let (failed, _) = try_everything(store, b, worker).await;
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

/// The peer is gone without a word: every lane and every reader notices, and recovers when there is an answer again. More calls
/// than there are readers are lost meanwhile: none takes a reader's place with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_peer_is_noticed_and_left() {
    needs_postgres!();
    let p = Proxied::new().await;
    let worker = p.b.worker().await;
    all_is_well(&p.store, &p.b, worker).await.expect("all lanes are connected");
    p.proxy.set(Mode::HalfOpen);
    let mut reads = Vec::new();
    for _ in 0..12 {
        let store = Arc::clone(&p.store);
        reads.push(tokio::spawn(async move { store.workers().await }));
    }
    let (failed, took) = within("everything", LONG, try_everything(&p.store, &p.b, worker)).await;
    assert_eq!(failed.len(), 9, "nobody is told that all is well: {failed:#?}");
    assert!(failed.iter().all(|error| error.contains("Unavailable")), "{failed:#?}");
    assert!(took < DETECTED, "{took:?}");
    for read in reads {
        assert!(matches!(within("the read", DETECTED, read).await.expect("no panic"), Err(StoreError::Unavailable { .. })));
    }
    p.proxy.set(Mode::Pass);
    let back = Instant::now();
    eventually("all is well again", BACK, async || all_is_well(&p.store, &p.b, worker).await).await;
    assert!(back.elapsed() < BACK);
    p.assert_sound().await;
    p.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_is_answered_at_once_and_mended() {
    needs_postgres!();
    let p = Proxied::new().await;
    let worker = p.b.worker().await;
    for _ in 0..3 {
        all_is_well(&p.store, &p.b, worker).await.expect("all lanes are connected");
        p.proxy.set(Mode::Cut);
        eventually("no connection is left", BACK, async || p.proxy.counts().open == 0).await;
        let (failed, took) = within("everything", LONG, try_everything(&p.store, &p.b, worker)).await;
        assert_eq!(failed.len(), 9, "{failed:#?}");
        assert!(took < Duration::from_secs(3), "a refused connection is an answer: {took:?}");
        p.proxy.set(Mode::Pass);
        eventually("all is well again", BACK, async || all_is_well(&p.store, &p.b, worker).await).await;
    }
    p.assert_sound().await;
    p.store.close().await;
}

/// Connections that the server ended while nobody looked are made anew, and nobody who writes notices but who claims.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_connections_are_nobodys_concern() {
    needs_postgres!();
    let p = Proxied::new().await;
    let worker = p.b.worker().await;
    all_is_well(&p.store, &p.b, worker).await.expect("all lanes are connected");
    let mut admin = p.database.connect().await;
    let ended =
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    admin.execute(ended).await.expect("ends them");
    let gone =
        "select 1 from pg_stat_activity where datname = current_database() and application_name like 'flotilla%' and application_name
        <> 'flotilla reader'";
    eventually("they are gone", BACK, async || sqlx::query(gone).fetch_optional(&mut admin).await.is_ok_and(|row| row.is_none())).await;
    let (failed, _) = try_everything(&p.store, &p.b, worker).await;
    // A claim alone is one statement that may not be done twice: whoever claims is told, and adopts.
    let noticed = |error: &String| ["read", "ping", "claims: Store(Unavailable"].iter().any(|lane| error.starts_with(lane));
    assert!(failed.iter().all(noticed), "{failed:#?}");
    eventually("all is well", BACK, async || all_is_well(&p.store, &p.b, worker).await).await;
    p.store.close().await;
}

/// The commit took effect and its reply was lost, on the wire. The caller does not know, asks again, and finds it done once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_replies_are_resolved() {
    needs_postgres!();
    let p = Proxied::new().await;
    let b = &p.b;
    let worker = b.worker().await;
    let lose = || p.proxy.lose_reply_to("commit");

    let jobs = vec![NewJob { idempotency: idempotency("k", 1), ..b.job() }, b.job()];
    lose();
    let lost = within("the submission", LONG, b.store.enqueue(jobs.clone())).await;
    assert!(matches!(lost, Err(store::EnqueueError::Store(StoreError::Unavailable { .. }))), "{lost:?}");
    p.proxy.lost(LONG).await;
    let again = b.store.enqueue(jobs.clone()).await.expect("repeats");
    assert_eq!(again.accepted.iter().map(|accepted| accepted.job).collect::<Vec<_>>(), [jobs[0].id, jobs[1].id]);

    let claim = b.claim_of(worker, &[jobs[0].id, jobs[1].id]);
    // It is one statement, without a commit: its id is what tells it on the wire.
    p.proxy.lose_reply_to(*claim.id.as_uuid().as_bytes());
    let lost = within("the claim", LONG, b.store.claim(&claim)).await;
    assert!(matches!(lost, Err(WorkError::Store(StoreError::Unavailable { .. }))), "{lost:?}");
    p.proxy.lost(LONG).await;
    let claimed = b.store.adopt(worker, claim.id).await.expect("adopts");
    assert_eq!(claimed.len(), 2, "each was claimed once, and is known");
    assert!(claimed.iter().all(|job| job.run == 1));

    let call = EffectCall { worker, job: claimed[0].id, run: 1, name: "deliver".to_owned(), key: claimed[0].stable_key() };
    assert_eq!(b.store.effect_begin(&call).await.expect("begins"), EffectState::Intent);
    b.store.effect_end(&call, &EffectEnd::Confirmed { handle: "h".to_owned() }).await.expect("ends");

    let ends: Vec<_> = claimed.iter().map(|job| settlement(job, a_success())).collect();
    lose();
    let lost = within("the end", LONG, b.store.settle(worker, &ends)).await;
    assert!(matches!(lost, Err(StoreError::Unavailable { .. })), "{lost:?}");
    p.proxy.lost(LONG).await;
    assert_eq!(b.store.settle(worker, &ends).await.expect("repeats").lost, []);
    for id in claim.jobs {
        let job = b.read(id).await;
        assert_eq!((job.state, job.run), (JobState::Succeeded, 1));
    }
    let mut connection = p.database.connect().await;
    let counted: i64 = sqlx::Row::get(&connection.fetch_one("select sum(succeeded)::bigint from job_rate").await.expect("reads"), 0);
    assert_eq!(counted, 2, "counted once");
    p.assert_sound().await;
    p.store.close().await;
}

/// A single statement whose reply is lost is done again by the store itself: it may be done twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_of_a_single_statement_is_not_noticed() {
    needs_postgres!();
    let p = Proxied::new().await;
    p.b.queued().await;
    p.proxy.lose_reply_to("http_lost_reply");
    let job = NewJob { payload: Arc::from(r#"{"to":"http_lost_reply"}"#), ..p.b.job() };
    let id = within("the submission", LONG, p.b.put(job)).await;
    p.proxy.lost(LONG).await;
    let outstanding = p.store.outstanding().await.expect("counts").unconfirmed;
    p.store.shift_clock(Duration::from_secs(70));
    let due = p.store.unconfirmed(PLENTY).await.expect("takes up");
    assert_eq!(due.iter().filter(|emission| emission.jobs.contains(&id)).count(), 1, "{outstanding} rows, one of them is true");
    p.assert_sound().await;
    p.store.close().await;
}

/// The server restarts under load: calls fail soon, all is well again by itself, and what was answered is there, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_is_survived() {
    needs_postgres!();
    let Some(server) = PrivatePostgres::start().await else { testkit::skip!("postgres", "PostgreSQL is not installed") };
    let options: PostgresOptions = options(&server.server().admin_url());
    migrate(&options).await.expect("migrates");
    let store = Arc::new(PostgresStore::open(options).await.expect("opens"));
    store.declare_queues(&[queue()]).await.expect("declares");
    let b = Bench { store: store.clone(), mint: Mint::default() };
    let worker = b.worker().await;
    for stop in [Stop::Gently, Stop::AtOnce] {
        all_is_well(&store, &b, worker).await.expect("all lanes are connected");
        let before = b.queued_many(50).await;
        server.stop(stop).await;
        let (failed, took) = within("everything", LONG, try_everything(&store, &b, worker)).await;
        assert_eq!(failed.len(), 9, "{failed:#?}");
        assert!(failed.iter().all(|error| error.contains("Unavailable")) && took < Duration::from_secs(3), "{took:?} {failed:#?}");
        server.restart().await;
        eventually("all is well again", BACK, async || all_is_well(&store, &b, worker).await).await;
        let claimed = b.claim(worker, &before).await;
        assert_eq!(claimed.len(), before.len(), "what was answered is there");
        let ends: Vec<_> = claimed.iter().map(|job| settlement(job, a_success())).collect();
        assert_eq!(store.settle(worker, &ends).await.expect("settles").lost, []);
    }
    store.close().await;
}

/// What somebody else keeps locked is given up within the deadline, and the lane goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_held_elsewhere_is_not_waited_for_for_ever() {
    needs_postgres!();
    let database = database().await;
    let options = PostgresOptions { write_deadline: Duration::from_secs(1), ..options(&database.url()) };
    let store = Arc::new(PostgresStore::open(options).await.expect("opens"));
    store.declare_queues(&[queue()]).await.expect("declares");
    let b = Bench { store: store.clone(), mint: Mint::default() };
    let id = b.queued().await;
    let mut holder = database.connect().await;
    holder.execute("begin; select 1 from job for update").await.expect("locks");
    let refused = within("the cancel", Duration::from_secs(5), b.cancel(id)).await;
    assert!(matches!(refused, Err(store::ActError::Store(StoreError::Unavailable { .. }))), "{refused:?}");
    let idle =
        "select 1 from pg_stat_activity where datname = current_database() and application_name = 'flotilla acts' and state <> 'idle'";
    let mut watcher = database.connect().await;
    eventually("nothing of it is left open", BACK, async || {
        sqlx::query(idle).fetch_optional(&mut watcher).await.is_ok_and(|row| row.is_none())
    })
    .await;
    store.declare_queues(&[queue()]).await.expect("the lane goes on");
    holder.execute("rollback").await.expect("lets go");
    assert_eq!(b.cancel(id).await.expect("cancels").job.state, JobState::Cancelled);
    store.close().await;
}
