//! Of the jobs that a pass of retention saw a moment ago, which does it delete?

use std::time::Duration;

use domain::JobId;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use store::Store as _;
use store::contract::Fixture as _;
use store::contract::bench::Bench;
use store::contract::sample::{HOUR, a_death, a_success};
use testkit::within;
use uuid::Uuid;

use crate::fixture::PostgresFixture;

const LOCK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/queries/job_past_lock.sql");
const SOON: Duration = Duration::from_secs(10);

/// Between the look and the lock a job may have been replayed, or have ended once more; and somebody may be at it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_still_past_its_retention_and_in_nobodys_hands_is_deleted() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let mut ended = Vec::new();
    for end in [a_success(), a_death(), a_success()] {
        let (worker, claimed) = b.running().await;
        b.end(worker, &claimed, end).await;
        ended.push(claimed.id);
    }
    let [past, replayed, held] = ended[..] else { panic!("three") };
    b.replay(replayed).await;
    f.advance(HOUR);
    let (worker, claimed) = b.running().await;
    b.end(worker, &claimed, a_success()).await;

    let mut holder = f.database.connect().await;
    holder.execute("begin").await.expect("begins");
    sqlx::query("select 1 from job where id = $1 for update").bind(*held.as_uuid()).execute(&mut holder).await.expect("locks");
    let mut ids: Vec<Uuid> = [past, replayed, held, claimed.id].map(|id| *id.as_uuid()).to_vec();
    ids.sort_unstable();
    let before = (f.store.now() - HOUR / 2).micros();
    let (low, high) = (ids[0], ids[3]);
    let lock = std::fs::read_to_string(LOCK).expect("the statement");
    let lock = sqlx::query(AssertSqlSafe(lock)).bind(ids).bind(low).bind(high).bind(before).bind(before).bind(before);
    let mut deleting = f.database.connect().await;
    let locked = within("the lock", SOON, lock.fetch_all(&mut deleting)).await.expect("locks");
    let locked: Vec<JobId> = locked.iter().map(|row| JobId::from_uuid(row.get(0))).collect();
    assert_eq!(locked, [past], "{replayed} lives again, {held} is held, {} ended just now", claimed.id);
    holder.execute("rollback").await.expect("lets go");
}
