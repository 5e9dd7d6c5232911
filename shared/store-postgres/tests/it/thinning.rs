//! Do old partitions go, and does what must be kept of them stay, whatever happens meanwhile?

use std::sync::Arc;
use std::time::Duration;

use domain::bounds::{COMPACT_ROWS_MIN, PARTITIONS_AHEAD};
use domain::{JobId, JobState, NewJob};
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use store::contract::Fixture as _;
use store::contract::bench::Bench;
use store::contract::sample::{DAY, HOUR, SECOND, a_death, a_failure, a_success, operator, trace, unique};
use store::{ActError, EffectCall, EffectEnd, End, Intake as _, LogLine, Reports as _, Retention, Store as _, Upkeep as _};
use store_postgres::{Plan, PostgresStore};
use testkit::within;

use crate::fixture::{Database, PostgresFixture};

const FILLERS: usize = COMPACT_ROWS_MIN + 500;
const LONG: Duration = Duration::from_secs(50);

/// So many jobs that succeeded today, some with all that can belong to a job.
async fn fill(f: &PostgresFixture, b: &Bench) {
    let ids: Vec<sqlx::types::Uuid> = (0..FILLERS).map(|_| *b.mint.job(b.now()).as_uuid()).collect();
    let mut connection = f.database.connect().await;
    let jobs = "insert into job (id, created_at, due_at, run_at, started_at, finished_at, timeout_ms, run_by, claim_id, run, attempt,
            max_attempts, state, prio, ever_started, start_before, tenant, kind, queue, trace, tags, payload, result)
        select id, $2, $2, $2, $2, $2, 60000, id, id, 1, 1, 3, 3, 2, true, $2 + 86400000000, 'default', 'mail.send', 'mail', $3, '[]', '{}',
            '{\"ok\":true}' from unnest($1::uuid[]) as i (id)";
    let now = b.now().micros();
    let filled = sqlx::query(jobs).bind(&ids).bind(now).bind(trace().to_string()).execute(&mut connection).await.expect("fills");
    assert_eq!(filled.rows_affected(), FILLERS as u64);
    for more in [
        "insert into job_event (job_id, at, run, from_state, to_state, actor) select id, $2, 1, 2, 3, 'worker:x' from unnest($1::uuid[]) as i (id)",
        "insert into job_log (job_id, run, lines) select id, 1, $2::text from unnest($1::uuid[]) as i (id)",
        "insert into effect (job_id, name, key, state, run, at) select id, 'n', 'k', 0, 1, $2 from unnest($1::uuid[]) as i (id)",
        "insert into timer (run_at, job_id, what) select $2 + 86400000000, id, 1 from unnest($1::uuid[]) as i (id)",
        "insert into job_dedup (tenant, space, key, job_id, expires_at) select 'default', 1, id::text, id, $2 from unnest($1::uuid[]) as i (id)",
    ] {
        let some: Vec<_> = ids.iter().step_by(50).copied().collect();
        sqlx::query(more).bind(some).bind(now).execute(&mut connection).await.expect("fills");
    }
}

/// How many rows there are in each of the tables that go with their partition, and beside them.
async fn counts(database: &Database) -> Vec<(String, i64, i64)> {
    let mut connection = database.connect().await;
    let mut counts = Vec::new();
    for table in ["job", "job_event", "job_log", "effect", "timer", "job_dedup", "dead_letter", "emission"] {
        let count = format!("select count(*), coalesce(sum(hashtextextended(t::text, 0) % 1000000007), 0)::bigint from {table} as t");
        let row = connection.fetch_one(AssertSqlSafe(count)).await.expect("counts");
        counts.push((table.to_owned(), row.get(0), row.get(1)));
    }
    counts
}

async fn count(database: &Database, table: &str) -> i64 {
    counts(database).await.into_iter().find(|(name, ..)| name == table).expect("one of them").1
}

async fn partitions(database: &Database) -> Vec<String> {
    let mut connection = database.connect().await;
    let names = "select inhrelid::regclass::text from pg_inherits join pg_class on pg_class.oid = inhparent
        where relkind = 'p' and relname in ('job', 'job_event', 'job_log', 'effect') order by 1";
    connection.fetch_all(names).await.expect("a catalogue").iter().map(|row| row.get(0)).collect()
}

/// Lets so much time pass that today's partition is an old one. Yesterday's, which is empty, goes at once.
async fn three_days_later(f: &PostgresFixture) {
    f.advance(DAY * 3);
    let before = partitions(&f.database).await.len();
    assert_eq!(thin(&f.store).await, 0);
    assert_eq!(partitions(&f.database).await.len(), before - 4);
}

/// Deletes nothing by the row: whatever goes, goes with its partition.
async fn thin(store: &PostgresStore) -> usize {
    within("the pass", LONG, store.retain(&Retention::default(), 0)).await.expect("retains").jobs
}

/// One job for each reason to be kept, with all that belongs to it.
async fn survivors(b: &Bench) -> Vec<JobId> {
    let worker = b.worker().await;
    let mut claimed = Vec::new();
    for n in 0..4 {
        let id = b.put(NewJob { unique: (n == 3).then(|| unique("w", Some(DAY * 20))).flatten(), ..b.job() }).await;
        claimed.push(b.take(worker, id).await);
    }
    let call = EffectCall { worker, job: claimed[0].id, run: 1, name: "deliver".to_owned(), key: claimed[0].stable_key() };
    b.store.effect_begin(&call).await.expect("begins");
    b.store.effect_end(&call, &EffectEnd::Confirmed { handle: "h".to_owned() }).await.expect("ends");
    let ends = [a_death(), End::Retry { at: b.now() + DAY * 5, failure: a_failure() }, End::Cancelled, a_success()];
    for (claimed, end) in claimed.iter().zip(ends) {
        let mut settlement = store::contract::bench::settlement(claimed, end);
        settlement.logs = vec![LogLine { at: b.now(), level: "info".to_owned(), message: "it ran".to_owned() }];
        assert_eq!(b.store.settle(worker, &[settlement]).await.expect("settles").lost, []);
    }
    let waiting = b.put(NewJob { run_at: Some(b.now() + DAY * 10), start_before: Some(b.now() + DAY * 20), ..b.job() }).await;
    claimed.iter().map(|job| job.id).chain([waiting]).collect()
}

async fn portraits(b: &Bench, ids: &[JobId]) -> Vec<String> {
    let mut portraits = Vec::new();
    let tenant = store::contract::sample::tenant();
    for id in ids {
        let (timeline, logs) = (b.store.timeline(&tenant, *id).await.expect("reads"), b.store.logs(&tenant, *id).await.expect("reads"));
        portraits.push(format!("{:?} {timeline:?} {logs:?}", b.read(*id).await));
    }
    portraits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_be_kept_is_all_that_is_left() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    fill(&f, &b).await;
    let kept = survivors(&b).await;
    let before = portraits(&b, &kept).await;
    assert_eq!(thin(&f.store).await, 0, "today is no old partition");
    three_days_later(&f).await;
    let parts = partitions(&f.database).await;
    assert_eq!(thin(&f.store).await, FILLERS);
    assert_eq!(portraits(&b, &kept).await, before);
    assert_eq!(partitions(&f.database).await, parts, "the same partitions, thinner");
    assert_eq!((count(&f.database, "job").await, count(&f.database, "job_log").await, count(&f.database, "effect").await), (5, 4, 1));
    assert_eq!(count(&f.database, "timer").await, 3, "a retry, a start and its expiry");
    assert_eq!(count(&f.database, "job_dedup").await, 1);
    assert_eq!(f.violations().await, Vec::<String>::new());
    assert_eq!(thin(&f.store).await, 0, "once is enough");
    assert_eq!(f.store.prepare().await.expect("prepares").ahead, PARTITIONS_AHEAD);

    // What was kept lives on where it is.
    b.replay(kept[0]).await;
    f.advance(DAY * 8);
    assert_eq!(b.promote().await.promoted, 2);
    let worker = b.worker().await;
    for claimed in b.claim(worker, &[kept[0], kept[1], kept[4]]).await {
        b.end(worker, &claimed, a_success()).await;
    }
    assert_eq!(b.jobs(domain::JobFilter { state: Some(JobState::Succeeded), ..Default::default() }).await.len(), 4);
    assert_eq!(f.violations().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_of_which_nothing_is_kept_goes() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    fill(&f, &b).await;
    three_days_later(&f).await;
    let parts = partitions(&f.database).await;
    assert_eq!(thin(&f.store).await, FILLERS);
    let left = partitions(&f.database).await;
    assert_eq!(parts.len() - left.len(), 4, "one partition of four tables");
    for table in ["job", "job_event", "job_log", "effect", "timer", "job_dedup"] {
        assert_eq!(count(&f.database, table).await, 0, "{table}");
    }
    b.queued().await;
    f.store.ping().await.expect("what comes has its partitions");
}

/// A few old jobs are deleted one by one, and their partition when it is empty.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_are_deleted_one_by_one() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let worker = b.worker().await;
    let ids = b.queued_many(5).await;
    for claimed in b.claim(worker, &ids).await {
        b.end(worker, &claimed, a_success()).await;
    }
    three_days_later(&f).await;
    assert_eq!((thin(&f.store).await, count(&f.database, "job").await), (0, 5));
    let parts = partitions(&f.database).await.len();
    let pass = f.store.retain(&Retention::default(), 3).await.expect("retains");
    assert_eq!((pass.jobs, count(&f.database, "job").await), (3, 2));
    assert_eq!(f.store.retain(&Retention::default(), 3).await.expect("retains").jobs, 2);
    f.advance(HOUR);
    thin(&f.store).await;
    assert_eq!(partitions(&f.database).await.len(), parts - 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_the_middle_changes_nothing() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    fill(&f, &b).await;
    let kept = survivors(&b).await;
    three_days_later(&f).await;
    let (before, parts, told) = (counts(&f.database).await, partitions(&f.database).await, portraits(&b, &kept).await);
    let failures = f.store.planned_failures().clone();
    let mut number = 9;
    loop {
        failures.plan(Plan::FailAt(number));
        let outcome = f.store.retain(&Retention::default(), 0).await;
        if failures.forget() {
            assert_eq!(outcome.expect("nothing failed").jobs, FILLERS);
            break;
        }
        assert!(outcome.is_err(), "statement {number}");
        assert_eq!((counts(&f.database).await, partitions(&f.database).await), (before.clone(), parts.clone()), "statement {number}");
        number += 1;
    }
    assert!(number > 30, "the exchange was among them: {number}");
    assert_eq!(portraits(&b, &kept).await, told);
    assert_eq!(f.violations().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_number_may_thin() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    fill(&f, &b).await;
    survivors(&b).await;
    three_days_later(&f).await;
    let mut passes = Vec::new();
    for _ in 0..3 {
        let store = f.another().await;
        passes.push(tokio::spawn(async move { thin(&store).await }));
    }
    let mut gone = 0;
    for pass in passes {
        gone += pass.await.expect("no panic");
    }
    assert_eq!(gone + thin(&f.store).await, FILLERS);
    assert_eq!(count(&f.database, "job").await, 5);
}

/// Somebody reads for a long time: the pass gives way and the next one does it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_is_not_disturbed() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    fill(&f, &b).await;
    survivors(&b).await;
    three_days_later(&f).await;
    let mut reader = f.database.connect().await;
    reader.execute("begin").await.expect("begins");
    reader.execute("select count(*) from job").await.expect("reads");
    assert_eq!(thin(&f.store).await, 0);
    b.queued().await;
    reader.execute("commit").await.expect("ends");
    assert_eq!(thin(&f.store).await, FILLERS);
}

/// Whatever people and duties do to the jobs that are kept, while their partition is exchanged, is not lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_happens_meanwhile_is_lost() {
    needs_postgres!();
    const EACH: usize = 60;
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    fill(&f, &b).await;
    let worker = b.worker().await;
    let dead = b.queued_many(EACH).await;
    for claimed in b.claim(worker, &dead).await {
        b.end(worker, &claimed, a_death()).await;
    }
    let later: Vec<NewJob> = (0..EACH).map(|_| NewJob { run_at: Some(b.now() + DAY * 30), ..b.job() }).collect();
    let waiting: Vec<JobId> = later.iter().map(|job| job.id).collect();
    b.enqueue(later).await;
    three_days_later(&f).await;
    f.store.prepare().await.expect("prepares");
    let acting = |store: Arc<PostgresStore>, dead: Vec<JobId>, waiting: Vec<JobId>| async move {
        let mut refused = 0;
        for (dead, waiting) in dead.into_iter().zip(waiting) {
            for outcome in [store.retry(&operator(), dead, None).await, store.cancel(&operator(), waiting, None).await] {
                match outcome {
                    Ok(_) => {}
                    // Rare: it came during the exchange for longer than it could wait. Nothing was done, which is what it says.
                    Err(ActError::Store(_)) => refused += 1,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        refused
    };
    let act = tokio::spawn(acting(f.another().await, dead.clone(), waiting.clone()));
    let mut gone = 0;
    while gone == 0 {
        gone = thin(&f.store).await;
    }
    let refused = within("all actions", LONG, act).await.expect("no panic");
    assert_eq!((gone, refused), (FILLERS, 0));
    for id in dead.iter().chain(&waiting) {
        let state = b.state(*id).await;
        assert_eq!(state, if dead.contains(id) { JobState::Queued } else { JobState::Cancelled });
    }
    assert_eq!(b.claim(b.worker().await, &dead).await.len(), EACH);
    assert_eq!(f.violations().await, Vec::<String>::new());
    f.advance(SECOND);
    assert!(f.store.now() > b.read(dead[0]).await.created_at);
}
