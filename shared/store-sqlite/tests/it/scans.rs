//! Does a rare filter look at a bounded number of rows, and find everything in the end? // I7
//!
//! Of logs that only grow long over weeks, or under a flood of deaths: filled here behind the store's back.

use domain::DeadFilter;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use store::contract::bench::Bench;
use store::contract::ending::Ending;
use store::contract::sample::{SECOND, operator, tenant};
use store::{Actor, AuditPage, DeadPage};

use crate::fixture::SqliteFixture;

async fn run(f: &SqliteFixture, sql: &'static str) {
    let mut connection = SqliteConnectOptions::new().filename(f.path()).connect().await.expect("connects");
    connection.execute(sql).await.expect("fills");
    connection.close().await.expect("closes");
}

#[tokio::test]
async fn a_rare_line_of_a_long_audit_log_is_found() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    let by = Actor { name: "night shift".to_owned(), ..operator() };
    let rare = b.queued().await;
    b.store.cancel(&by, rare, None).await.expect("cancels");
    run(
        &f,
        "insert into audit (at, tenant, actor, request_id, action, target)
         with recursive g (n) as (select 1 union all select n + 1 from g where n < 20050)
         select 1, 'default', 'ops', 'req-1', 'job.cancel', 'a job' from g",
    )
    .await;
    let page = AuditPage { actor: Some(by.name.clone()), limit: 5, ..AuditPage::default() };
    let first = b.store.audit(&tenant(), &page).await.expect("reads");
    assert_eq!((first.rows.len(), first.next.is_some()), (0, true), "it looked at no more than it may");
    let second = b.store.audit(&tenant(), &AuditPage { after: first.next, ..page }).await.expect("reads");
    assert_eq!(second.rows.iter().map(|row| row.target.clone()).collect::<Vec<_>>(), [rare.to_string()]);
    assert_eq!(second.next, None);
}

#[tokio::test]
async fn a_rare_death_among_many_is_found() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    let (rare, _) = Ending::DeadByRescue.reach(&b, &f, b.job()).await;
    f.store.shift_clock(SECOND);
    run(
        &f,
        "insert into dead_letter (job_id, tenant, queue, kind, fingerprint, reason, at)
         with recursive g (n) as (select 1 union all select n + 1 from g where n < 20050)
         select unhex(printf('ff%030x', n)), 'default', 'mail', 'mail.send', 'mail.send/permanent/http_404', 'http_404', 1 from g",
    )
    .await;
    let filter = DeadFilter { reason: Some("worker_lost".to_owned()), ..DeadFilter::default() };
    let page = DeadPage { filter: filter.clone(), after: None, limit: 5 };
    let first = b.store.dead_letters(&tenant(), &page).await.expect("lists");
    assert_eq!((first.dead_letters.len(), first.next.is_some()), (0, true), "it looked at no more than it may");
    let second = b.store.dead_letters(&tenant(), &DeadPage { after: first.next, ..page }).await.expect("lists");
    assert_eq!(second.dead_letters.iter().map(|letter| letter.job).collect::<Vec<_>>(), [rare]);
    assert_eq!(second.next, None);
    let groups = b.store.dead_groups(&tenant(), &filter, 9).await.expect("groups");
    assert_eq!(groups.iter().map(|group| (group.count, group.sample)).collect::<Vec<_>>(), [(1, rare)]);
}
