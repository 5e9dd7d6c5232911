//! Does a job whose row cannot be read stop anybody else? It is put on the shelf, and the others get on.

use std::path::Path;

use domain::{Act, JobFilter, JobId, JobState, NewJob, OperationState, Priority, Target};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use store::contract::Fixture as _;
use store::contract::bench::Bench;
use store::contract::ending::with_callback;
use store::contract::sample::{HOUR, LEASE_OVER, PLENTY, SECOND, a_success, class, listed, no_worker, tenant};
use store::{ClassNeed, Upkeep as _};

use crate::fixture::SqliteFixture;

/// What another version may have written, and this one refuses.
async fn spoil(path: &Path, id: JobId) {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.expect("connects");
    let spoilt = sqlx::query("update job set kind = 'No Such Name!' where id = ?").bind(id.as_bytes().to_vec());
    assert_eq!(spoilt.execute(&mut connection).await.expect("writes").rows_affected(), 1);
    connection.close().await.expect("closes");
}

/// State, reason, run, attempt, and whether its last line in the timeline says why.
async fn row(path: &Path, id: JobId) -> (i64, Option<i64>, i64, i64, bool) {
    let mut connection = SqliteConnectOptions::new().filename(path).read_only(true).connect().await.expect("connects");
    let query = "select state, waiting_for, run, attempt,
        exists (select 1 from job_event where job_id = job.id and actor = 'duty:shelve' and data like '%unreadable%') from job where id = ?";
    let row = sqlx::query(query).bind(id.as_bytes().to_vec()).fetch_one(&mut connection).await.expect("reads");
    connection.close().await.expect("closes");
    (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4))
}

/// It waits for a time, is due in an hour, and nothing is broken.
async fn assert_shelved(f: &SqliteFixture, id: JobId, run: i64) {
    assert_eq!(row(&f.path(), id).await, (0, Some(0), run, 0, true));
    assert_eq!(f.violations().await, Vec::<String>::new());
}

#[tokio::test]
async fn promoting_goes_on() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    let at = b.now() + SECOND;
    let (bad, good) = (b.waiting_until(at).await, b.waiting_until(at).await);
    spoil(&f.path(), bad).await;
    f.advance(SECOND * 2);
    let promoted = b.promote().await;
    assert_eq!(listed(&promoted.emissions), [good]);
    assert!(promoted.next_timer.is_some_and(|at| at > b.now() + HOUR / 2), "it must not be tried again at once: {promoted:?}");
    assert_shelved(&f, bad, 0).await;
    f.advance(HOUR);
    assert_eq!(b.promote().await.emissions, []);
    assert_shelved(&f, bad, 0).await;
}

#[tokio::test]
async fn releasing_goes_on() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    let ids = b.queued_many(2).await;
    b.store.park(&class(), &ids, &no_worker()).await.expect("parks");
    spoil(&f.path(), ids[0]).await;
    b.worker().await;
    assert_eq!(b.release().await, [ids[1]]);
    assert_shelved(&f, ids[0], 0).await;
}

#[tokio::test]
async fn rescuing_and_handing_back_go_on() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    for rescue in [true, false] {
        let (worker, ids) = (b.worker().await, b.queued_many(2).await);
        b.claim(worker, &ids).await;
        spoil(&f.path(), ids[0]).await;
        if rescue {
            f.advance(LEASE_OVER);
            assert_eq!(b.rescue().await.retried, 1);
        } else {
            b.renew(worker, &[]).await.expect("renews");
        }
        assert_eq!(b.state(ids[1]).await, JobState::Waiting);
        assert_shelved(&f, ids[0], 1).await;
    }
}

#[tokio::test]
async fn claiming_goes_on() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    let ids = b.queued_many(3).await;
    spoil(&f.path(), ids[1]).await;
    let needs = [ClassNeed { class: class(), room: PLENTY }];
    assert_eq!(listed(&f.store.emissions_due(&needs, PLENTY).await.expect("lists").emissions), ids);
    let claimed = b.claim(b.worker().await, &ids).await;
    assert_eq!(claimed.iter().map(|job| job.id).collect::<Vec<_>>(), [ids[0], ids[2]]);
    assert_shelved(&f, ids[1], 1).await;
    assert_eq!(f.store.emissions_due(&needs, PLENTY).await.expect("lists").emissions, [], "its class is not told of it again");
}

/// Nobody can be told of the end of a job that cannot be read; that of the others is told, and both end.
#[tokio::test]
async fn settling_goes_on() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    let jobs: Vec<NewJob> = (0..2).map(|_| with_callback(b.job())).collect();
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    b.enqueue(jobs).await;
    let worker = b.worker().await;
    let claimed = b.claim(worker, &ids).await;
    spoil(&f.path(), ids[0]).await;
    let ends: Vec<_> = claimed.iter().map(|job| store::contract::bench::settlement(job, a_success())).collect();
    let settled = b.store.settle(worker, &ends).await.expect("settles");
    assert_eq!((settled.lost.as_slice(), listed(&settled.emissions).len()), ([].as_slice(), 1));
    assert_eq!(row(&f.path(), ids[0]).await.0, 3);
}

#[tokio::test]
async fn listing_goes_on() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    let ids = b.queued_many(3).await;
    spoil(&f.path(), ids[1]).await;
    let listed: Vec<JobId> = b.jobs(JobFilter::default()).await.iter().map(|job| job.id).collect();
    assert_eq!(listed, [ids[2], ids[0]]);
    assert!(b.store.job(&tenant(), ids[1]).await.is_err(), "asked for itself, it is no secret that it cannot be read");
}

/// A job that cannot be read is skipped by an operation, and an operation that cannot be read waits while others get on.
#[tokio::test]
async fn operating_goes_on() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    let (bad, good) = (b.queued().await, b.queued().await);
    spoil(&f.path(), bad).await;
    let urgent = Act::Reprioritize { priority: Priority::High };
    let unreadable = b.begin(&b.operation(Act::Cancel, Target::Jobs(JobFilter::default()))).await;
    let mut connection = SqliteConnectOptions::new().filename(f.path()).connect().await.expect("connects");
    let later = sqlx::query("update operation set act = '{\"action\":\"explode\"}' where id = ?").bind(unreadable.as_bytes().to_vec());
    later.execute(&mut connection).await.expect("writes");
    connection.close().await.expect("closes");
    let operation = b.carry_out(urgent, Target::Ids(vec![bad, good])).await;
    assert_eq!((operation.state, operation.done, operation.skipped), (OperationState::Succeeded, 1, 1));
    assert_eq!((b.read(good).await.priority, b.state(good).await), (Priority::High, JobState::Queued));
    assert_eq!(row(&f.path(), bad).await, (1, None, 0, 0, false), "it is left as it was");
    let shown = b.store.operations(&tenant(), 9).await.expect("lists");
    assert_eq!(shown.iter().map(|operation| operation.id).collect::<Vec<_>>(), [operation.id], "what cannot be read is left out");
    f.advance(HOUR * 2);
    assert_eq!(b.steps(PLENTY).await, [], "it is tried again, and put off again");
}

/// An operation whose step breaks a rule every time does not hold up the others.
#[tokio::test]
async fn a_step_that_never_succeeds_holds_up_nobody() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    let id = b.queued().await;
    let mut connection = SqliteConnectOptions::new().filename(f.path()).connect().await.expect("connects");
    let trigger = "create trigger broken before update of prio on job begin select raise(abort, 'a broken rule'); end";
    sqlx::query(trigger).execute(&mut connection).await.expect("breaks");
    connection.close().await.expect("closes");
    let stuck = b.begin(&b.operation(Act::Reprioritize { priority: Priority::High }, Target::Ids(vec![id]))).await;
    let next = b.begin(&b.operation(Act::Cancel, Target::Ids(vec![id]))).await;
    b.store.operation_step(PLENTY).await.expect_err("a rule is broken");
    b.steps(PLENTY).await;
    assert_eq!(b.read_operation(next).await.state, OperationState::Succeeded);
    assert_eq!((b.read_operation(stuck).await.state, b.state(id).await), (OperationState::Running, JobState::Cancelled));
}
