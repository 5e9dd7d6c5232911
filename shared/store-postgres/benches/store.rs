//! The store alone: how many jobs a second it takes in, hands out and ends, without HTTP, broker and handlers.
//!
//! `TEST_POSTGRES_URL=… cargo bench -p store-postgres` makes a database of its own and drops it. A benchmark, never a test: it
//! asserts that every job was ended, not how fast.
#![expect(clippy::print_stdout, reason = "a benchmark speaks on standard output")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{
    ClaimId, ClaimedJob, Class, EmissionId, JobId, KindInfo, KindName, NewJob, Priority, QueueName, RetryPolicy, TenantId, TraceContext,
    WorkerId,
};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use store::{Claim, End, Intake as _, Mint, Renewal, Settlement, Store as _, Work as _, WorkerRegistration};
use store_postgres::{PostgresOptions, PostgresStore};
use testkit::servers;

const JOBS: usize = 100_000;
const BATCH: usize = 1_000;
const CALLERS: usize = 4;

#[tokio::main]
async fn main() {
    let Some(server) = servers::postgres() else {
        println!("skipped: TEST_POSTGRES_URL names no server");
        return;
    };
    let name = servers::unique_name("bench");
    let admin: PgConnectOptions = server.admin_url().parse().expect("a URL");
    let mut admin = admin.connect().await.expect("the server answers");
    admin.execute(AssertSqlSafe(format!("create database {name}"))).await.expect("a database is made");
    run(&server.url(&name), &mut admin).await;
    admin.execute(AssertSqlSafe(format!("drop database {name} with (force)"))).await.expect("it is dropped again");
}

async fn run(url: &str, admin: &mut PgConnection) {
    let options = PostgresOptions::new(url.parse().expect("text"));
    store_postgres::migrate(&options).await.expect("the schema is made");
    let store = Arc::new(PostgresStore::open(options).await.expect("a store opens"));
    let mint = Arc::new(Mint::default());
    let worker = register(&store, &mint).await;
    let keeper = tokio::spawn(keep_lease(Arc::clone(&store), worker));
    for round in 0..3 {
        let jobs = intake(&store, &mint, round).await;
        admin.execute("checkpoint").await.expect("a checkpoint");
        drain(&store, &mint, worker, jobs, round).await;
        // The pace is known from here on: emissions are packed.
        tokio::time::timeout(Duration::from_secs(3), std::future::pending::<()>()).await.expect_err("nothing to wait for but time");
    }
    single(&store, &mint).await;
    keeper.abort();
    store.close().await;
}

async fn keep_lease(store: Arc<PostgresStore>, worker: WorkerId) {
    let mut due = tokio::time::interval(domain::bounds::LEASE_RENEW_EVERY);
    loop {
        due.tick().await;
        let renewal =
            Renewal { worker, as_of: Default::default(), held: Vec::new(), progress: Vec::new(), marks: Vec::new(), ended: Vec::new() };
        store.renew(&renewal).await.expect("the lease is live");
    }
}

async fn register(store: &PostgresStore, mint: &Mint) -> WorkerId {
    let id = mint.worker(store.now());
    let kind = KindInfo {
        name: KindName::of("bench.noop"),
        queue: QueueName::of("bench"),
        schema: "{}".into(),
        max_attempts: 3,
        timeout: Duration::from_secs(60),
        retry: RetryPolicy::default(),
        effects: Default::default(),
    };
    let worker = WorkerRegistration {
        id,
        name: "bench".to_owned(),
        host: "bench".to_owned(),
        pid: 1,
        slots: 1_000,
        version: "0".to_owned(),
        kinds: vec![kind],
    };
    store.register(&worker).await.expect("registers");
    id
}

fn job(id: JobId, payload: &Arc<str>) -> NewJob {
    NewJob {
        id,
        tenant: TenantId::of("default"),
        kind: KindName::of("bench.noop"),
        queue: QueueName::of("bench"),
        priority: Priority::Normal,
        payload: Arc::clone(payload),
        run_at: None,
        start_before: None,
        max_attempts: 3,
        timeout: Duration::from_secs(60),
        tags: Vec::new(),
        group: None,
        callback_url: None,
        unique: None,
        idempotency: None,
        trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse::<TraceContext>().expect("a trace"),
    }
}

type Hint = (EmissionId, Vec<JobId>);

async fn intake(store: &Arc<PostgresStore>, mint: &Arc<Mint>, round: usize) -> Vec<Hint> {
    let payload: Arc<str> = format!(r#"{{"number":1,"padding":"{}"}}"#, "x".repeat(150)).into();
    let began = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (store, mint, payload) = (Arc::clone(store), Arc::clone(mint), Arc::clone(&payload));
        callers.spawn(async move {
            let mut hints = Vec::new();
            for _ in 0..JOBS / BATCH / CALLERS {
                let jobs = (0..BATCH).map(|_| job(mint.job(store.now()), &payload)).collect();
                let enqueued = store.enqueue(jobs).await.expect("enqueues");
                hints.extend(enqueued.emissions.into_iter().map(|emission| (emission.id, emission.jobs)));
            }
            hints
        });
    }
    let mut hints: Vec<Hint> = Vec::new();
    while let Some(done) = callers.join_next().await {
        hints.extend(done.expect("no panic"));
    }
    say(round, "intake, batches of 1000", JOBS, began);
    println!("         {} emissions", hints.len());
    hints.sort();
    hints
}

async fn drain(store: &Arc<PostgresStore>, mint: &Arc<Mint>, worker: WorkerId, hints: Vec<Hint>, round: usize) {
    let began = Instant::now();
    let (sender, mut claimed) = tokio::sync::mpsc::channel::<Vec<ClaimedJob>>(2);
    let claiming = {
        let (store, mint) = (Arc::clone(store), Arc::clone(mint));
        tokio::spawn(async move {
            let mut hints = hints.into_iter().peekable();
            while hints.peek().is_some() {
                let (mut jobs, mut ids) = (Vec::new(), Vec::new());
                while jobs.len() + 32 <= BATCH
                    && let Some((id, of)) = hints.next()
                {
                    ids.push(id);
                    jobs.extend(of);
                }
                let class = Class { queue: QueueName::of("bench"), priority: Priority::Normal };
                let id: ClaimId = mint.claim(store.now());
                let claim = Claim { id, worker, class, jobs, hints: ids };
                let jobs = store.claim(&claim).await.expect("claims").jobs;
                sender.send(jobs).await.expect("the other side lives");
            }
        })
    };
    let mut ended = 0;
    while let Some(jobs) = claimed.recv().await {
        let end = |job: &ClaimedJob| Settlement {
            job: job.id,
            run: job.run,
            end: End::Succeeded { result: None },
            logs: Vec::new(),
            output: None,
            progress: None,
        };
        let settled = store.settle(worker, &jobs.iter().map(end).collect::<Vec<_>>()).await.expect("settles");
        assert!(settled.lost.is_empty(), "every end counts");
        ended += jobs.len();
    }
    claiming.await.expect("no panic");
    assert_eq!(ended, JOBS);
    say(round, "claim and settle", JOBS, began);
}

async fn single(store: &Arc<PostgresStore>, mint: &Arc<Mint>) {
    let payload: Arc<str> = r#"{"number":1}"#.into();
    let began = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (store, mint, payload) = (Arc::clone(store), Arc::clone(mint), Arc::clone(&payload));
        callers.spawn(async move {
            for _ in 0..1_000 {
                store.enqueue(vec![job(mint.job(store.now()), &payload)]).await.expect("enqueues");
            }
        });
    }
    while let Some(done) = callers.join_next().await {
        done.expect("no panic");
    }
    say(3, "intake, one by one, 64 callers", 64_000, began);
}

fn say(round: usize, what: &str, jobs: usize, began: Instant) {
    let jobs = u32::try_from(jobs).expect("few");
    println!("round {round}: {what:<32} {:>9.0} jobs/s", f64::from(jobs) / began.elapsed().as_secs_f64());
}
