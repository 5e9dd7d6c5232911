//! Do jobs change in place? An index on anything that changes, or pages without room, would show here (queue-core, decision 4).

use std::sync::Arc;
use std::time::Duration;

use domain::NewJob;
use sqlx::{Connection as _, Executor as _, Row as _};
use store::End;
use store::contract::Fixture as _;
use store::contract::bench::{Bench, settlement};
use store::contract::sample::{PLENTY, SECOND, a_death, a_failure};

use testkit::eventually;

use crate::fixture::{PostgresFixture, fresh_database};

const JOBS: usize = 3_000;
const BATCH: usize = 250;
const RATIO_MIN: f64 = 0.85;

/// Runs jobs to every kind of end; returns the part of the updates of `job` that were made in place.
async fn ratio(prepare: &'static str) -> f64 {
    let f = PostgresFixture::on(fresh_database().await).await;
    f.database.connect().await.execute(prepare).await.expect("prepares");
    let b = Bench::new(&f).await;
    let payload: Arc<str> = format!("{{\"text\":\"{}\"}}", "x".repeat(190)).into();
    for _ in 0..JOBS / BATCH {
        let jobs: Vec<NewJob> = (0..BATCH).map(|_| NewJob { payload: Arc::clone(&payload), ..b.job() }).collect();
        let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
        b.enqueue(jobs).await;
        run(&b, &ids).await;
        f.advance(SECOND * 2);
        let again = store::contract::sample::listed(&b.store.promote(PLENTY).await.expect("promotes").emissions);
        run(&b, &again).await;
    }
    // Sessions write their figures down when they end.
    f.store.close().await;
    let mut connection = f.database.connect().await;
    let updates = "select sum(n_tup_upd)::bigint, sum(n_tup_hot_upd)::bigint from pg_stat_user_tables where relname ~ '^job_p[0-9]'";
    let expected = 2 * i64::try_from(JOBS).expect("small");
    let (all, in_place) = eventually("every job was claimed and ended", Duration::from_secs(20), async || {
        let row = connection.fetch_one(updates).await.expect("figures");
        let (all, in_place): (i64, i64) = (row.get(0), row.get(1));
        if all >= expected { Ok((all, in_place)) } else { Err(format!("{all} updates")) }
    })
    .await;
    connection.close().await.expect("closes");
    f64::from(i32::try_from(in_place).expect("small")) / f64::from(i32::try_from(all).expect("small"))
}

async fn run(b: &Bench, ids: &[domain::JobId]) {
    let worker = b.worker().await;
    let claimed = b.claim(worker, ids).await;
    let result = |length| Some(format!("{{\"text\":\"{}\"}}", "y".repeat(length)).into());
    let end = |n: usize, again: bool| match n % 10 {
        0 if !again => End::Retry { at: b.now() + SECOND, failure: a_failure() },
        1 => a_death(),
        2 => End::Succeeded { result: None },
        3..=5 => End::Succeeded { result: result(190) },
        _ => End::Succeeded { result: result(10) },
    };
    let ends: Vec<_> = claimed.iter().enumerate().map(|(n, job)| settlement(job, end(n, job.run > 1))).collect();
    assert_eq!(b.store.settle(worker, &ends).await.expect("settles").lost, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_change_in_place() {
    needs_postgres!();
    let ratio = ratio("select 1").await;
    assert!(ratio >= RATIO_MIN, "{ratio:.3} of the updates were in place");
}

/// The figure means something: with an index on what changes, nothing is in place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_on_what_changes_would_show() {
    needs_postgres!();
    let ratio = ratio("create index on job (state)").await;
    assert!(ratio < 0.1, "{ratio:.3}");
}
