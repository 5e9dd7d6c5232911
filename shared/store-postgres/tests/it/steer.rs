//! What may be in the way of an act or of a look at many jobs in this database, and does it stop anybody?

use domain::{Act, Failure, JobFilter, JobId, JobState, NewOperation, OperationId, OperationState, Target, WaitingFor};
use sqlx::Executor as _;
use store::contract::Fixture as _;
use store::contract::bench::Bench;
use store::contract::sample::{HOUR, a_death, a_failure, operator, tenant};
use store::{DeadPage, End, Overview as _, Steering as _};

use crate::fixture::PostgresFixture;

/// The lock of who compacts partitions.
const SPACE_LOCK: i64 = 0x666c_6f74_696c_6c61 + 1;

async fn begin(b: &Bench, act: Act, target: Target) -> OperationId {
    let new = NewOperation { id: b.mint.operation(b.now()), act, target, reason: "why not".to_owned(), canary: None };
    b.store.operation_begin(&operator(), &new).await.expect("begins").id
}

async fn state(b: &Bench, id: OperationId) -> OperationState {
    b.store.operation(&tenant(), id).await.expect("reads").expect("is there").state
}

async fn found(b: &Bench, q: &str) -> Vec<JobId> {
    let jobs = b.jobs(JobFilter { q: Some(q.to_owned()), ..JobFilter::default() }).await;
    jobs.iter().map(|job| job.id).collect()
}

/// An error may hold what a text of this database cannot: it is found, and hides nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_with_a_nul_is_searched_too() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let (worker, claimed) = b.running().await;
    let odd = Failure::permanent("odd_code", "a \0 and a \\ in 100 % of it");
    b.end(worker, &claimed, End::Dead { failure: odd }).await;
    let (worker, plain) = b.running().await;
    b.end(worker, &plain, End::Retry { at: b.now() + HOUR, failure: a_failure() }).await;
    assert_eq!(found(&b, "ODD_CODE").await, [claimed.id]);
    assert_eq!(found(&b, "100 %").await, [claimed.id]);
    assert_eq!(found(&b, "%").await, [claimed.id], "a sign like others");
    assert_eq!(found(&b, "provider is BUSY").await, [plain.id]);
    assert_eq!(found(&b, "http%busy").await, []);
    let letters = f.store.dead_letters(&tenant(), &DeadPage { limit: 10, ..DeadPage::default() }).await.expect("lists").dead_letters;
    assert_eq!((letters.len(), letters[0].message.as_str()), (1, "a \0 and a \\ in 100 % of it"));
}

/// What is stored of an operation may be of a newer version: it is put off, and the others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_that_cannot_be_read_stops_no_other() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let id = b.queued().await;
    let newer = begin(&b, Act::Cancel, Target::Ids(vec![id])).await;
    let good = begin(&b, Act::Cancel, Target::Ids(vec![id])).await;
    let mut connection = f.database.connect().await;
    sqlx::query("update operation set act = '{\"action\":\"explode\"}' where id = $1")
        .bind(*newer.as_uuid())
        .execute(&mut connection)
        .await
        .expect("changes");
    assert_eq!(f.store.operation_step(10).await.expect("goes on").expect("there is one").operation.id, good);
    assert_eq!((state(&b, good).await, b.state(id).await), (OperationState::Succeeded, JobState::Cancelled));
    assert_eq!(f.store.operation_step(10).await.expect("looks"), None);
    assert_eq!(f.store.operations(&tenant(), 10).await.expect("lists").len(), 1, "the other is left out");
    sqlx::query("update operation set act = '{\"action\":\"cancel\"}'").execute(&mut connection).await.expect("changes");
    f.advance(HOUR);
    let step = f.store.operation_step(10).await.expect("goes on").expect("its turn has come");
    assert_eq!((step.operation.id, step.operation.skipped), (newer, 1));
}

/// A job that cannot be read is skipped, and left as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_cannot_be_read_is_skipped() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let ids = b.queued_many(2).await;
    let mut connection = f.database.connect().await;
    sqlx::query("update job set kind = 'No Kind' where id = $1").bind(*ids[0].as_uuid()).execute(&mut connection).await.expect("changes");
    begin(&b, Act::Cancel, Target::Jobs(JobFilter::default())).await;
    let after = f.store.operation_step(10).await.expect("goes on").expect("there is one").operation;
    assert_eq!((after.state, after.looked_at, after.done, after.skipped), (OperationState::Succeeded, 2, 1, 1));
    assert_eq!(b.state(ids[1]).await, JobState::Cancelled);
    let left: i16 = sqlx::Row::get(&connection.fetch_one("select state from job where kind = 'No Kind'").await.expect("reads"), 0);
    assert_eq!(left, i16::from(JobState::Queued.code()));
}

/// While a partition is compacted no ended job is made live again: such an operation waits, and stops nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_that_replays_waits_for_a_compaction() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let (worker, claimed) = b.running().await;
    b.end(worker, &claimed, a_death()).await;
    let mut compacting = f.database.connect().await;
    sqlx::query("select pg_advisory_lock($1)").bind(SPACE_LOCK).execute(&mut compacting).await.expect("locks");
    let replaying = begin(&b, Act::Retry, Target::Ids(vec![claimed.id])).await;
    let queued = b.queued().await;
    let cancelling = begin(&b, Act::Cancel, Target::Ids(vec![queued])).await;
    let first = f.store.operation_step(10).await.expect("looks").expect("there is one");
    assert_eq!((first.operation.id, first.waits, first.operation.looked_at), (replaying, true, 0));
    assert_eq!(f.store.operation_step(10).await.expect("goes on").expect("there is one").operation.id, cancelling);
    assert_eq!(f.store.operation_step(10).await.expect("looks"), None, "it waits for its turn");
    sqlx::query("select pg_advisory_unlock($1)").bind(SPACE_LOCK).execute(&mut compacting).await.expect("unlocks");
    f.advance(domain::bounds::CANARIES_LOOK_EVERY);
    let step = f.store.operation_step(10).await.expect("goes on").expect("its turn has come");
    assert_eq!((step.operation.done, b.state(claimed.id).await), (1, JobState::Queued));
    assert_eq!(f.violations().await, Vec::<String>::new());
}

/// What was found and changed before it was locked is not what was meant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_changed_meanwhile_is_not_meant_any_more() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let id = b.queued().await;
    begin(&b, Act::Cancel, Target::Jobs(JobFilter { state: Some(JobState::Queued), ..JobFilter::default() })).await;
    let mut holder = f.database.connect().await;
    holder.execute("begin; select 1 from job for update").await.expect("locks");
    let store = f.store.clone();
    let stepping = tokio::spawn(async move { store.operation_step(10).await });
    let mut watcher = f.database.connect().await;
    let waits = "select 1 from pg_stat_activity where datname = current_database() and application_name = 'flotilla acts'
        and wait_event_type = 'Lock'";
    testkit::eventually("the step waits for the job", std::time::Duration::from_secs(20), async || {
        sqlx::query(waits).fetch_optional(&mut watcher).await.is_ok_and(|row| row.is_some())
    })
    .await;
    let parked = "update job set state = 0, waiting_for = 7; insert into parked (job_id, reason, key, prio, tenant, queue, kind)
        select id, 7, kind, prio, tenant, queue, kind from job; commit";
    holder.execute(parked).await.expect("parks");
    let after = stepping.await.expect("no panic").expect("goes on").expect("there is one").operation;
    assert_eq!((after.looked_at, after.skipped), (1, 1));
    let job = b.read(id).await;
    assert_eq!((job.state, job.waiting_for), (JobState::Waiting, Some(WaitingFor::NoWorker)));
}

/// A step that meets a job which somebody keeps locked gives up soon; its operation waits, and the others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_does_not_get_through_stops_no_other() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let ids = b.queued_many(2).await;
    let stuck = begin(&b, Act::Cancel, Target::Ids(vec![ids[0]])).await;
    let other = begin(&b, Act::Cancel, Target::Ids(vec![ids[1]])).await;
    let mut holder = f.database.connect().await;
    holder.execute("begin").await.expect("begins");
    sqlx::query("select 1 from job where id = $1 for update").bind(*ids[0].as_uuid()).execute(&mut holder).await.expect("locks");
    f.store.operation_step(10).await.expect_err("the job is locked");
    assert_eq!(f.store.operation_step(10).await.expect("goes on").expect("there is one").operation.id, other);
    holder.execute("rollback").await.expect("lets go");
    assert_eq!(f.store.operation_step(10).await.expect("looks"), None, "it waits for its turn");
    f.advance(HOUR);
    assert_eq!(f.store.operation_step(10).await.expect("goes on").expect("its turn has come").operation.id, stuck);
    assert_eq!((b.state(ids[0]).await, b.state(ids[1]).await), (JobState::Cancelled, JobState::Cancelled));
}
