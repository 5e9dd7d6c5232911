//! How long does a page of a listing take with a million jobs in the store, when many pass its filter and when few do?
//!
//! `TEST_POSTGRES_URL=… cargo bench -p store-postgres --bench listing` makes a database of its own and drops it. A benchmark, never
//! a test: it asserts what is found, not how fast.
#![expect(clippy::print_stdout, reason = "a benchmark speaks on standard output")]

use std::time::{Duration, Instant};

use domain::{DeadFilter, JobFilter, JobState, KindName, TenantId};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use store::{DeadPage, Overview as _, PageRequest, Reports as _};
use store_postgres::{PostgresOptions, PostgresStore, migrate};
use testkit::servers;

const PAGE: usize = 200;
const ROUNDS: usize = 40;

/// A million jobs of the last 100 000 s, one of twenty kinds each. All but a few have succeeded; of a thousand one is dead, and a rare
/// kind has one job in ten thousand, all of them in the older half.
const FILL: &str = r#"
    insert into job (
        id, created_at, due_at, run_at, started_at, finished_at, timeout_ms, run, attempt, max_attempts, state, prio, ever_started, tenant,
        kind, queue, trace, tags, payload, error
    )
    select
        (lpad(to_hex(ms), 12, '0') || '7000800000' || lpad(to_hex(n), 10, '0'))::uuid, ms * 1000, ms * 1000, ms * 1000, ms * 1000,
        ms * 1000 + 5000, 60000, 1, 1, 3, case when n % 1000 = 7 then 4 when n % 50 = 0 then 5 else 3 end, 2, true, 'default',
        case when n < 500000 and n % 10000 = 3 then 'rare.kind' else 'bench.kind_' || n % 20 end, 'bench',
        '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '["a","b"]',
        '{"number":' || n || ',"padding":"' || repeat('x', 150) || '"}',
        case when n % 1000 = 7 then '{"class":"permanent","code":"http_' || 400 + n / 1000 % 10 || '","message":"no such mailbox"}' end
    from (
        select n, (extract(epoch from now()) * 1000)::bigint - 100000000 + n * 100 as ms from generate_series(0, 999999) as g (n)
    ) as made;
    insert into dead_letter (job_id, tenant, queue, kind, fingerprint, reason, run, attempts, at)
    select id, tenant, queue, kind, kind || '/permanent/' || (error::json ->> 'code'), error::json ->> 'code', run, attempt, finished_at
    from job where state = 4;
"#;

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
    run(&server.url(&name)).await;
    admin.execute(AssertSqlSafe(format!("drop database {name} with (force)"))).await.expect("it is dropped again");
}

async fn run(url: &str) {
    let options = || PostgresOptions::new(url.parse().expect("text"));
    migrate(&options()).await.expect("migrates");
    let began = Instant::now();
    fill(url).await;
    println!("1 000 000 jobs written in {:.0} s", began.elapsed().as_secs_f64());
    let store = PostgresStore::open(options()).await.expect("opens");
    let of =
        |state: Option<JobState>, kind: Option<&'static str>| JobFilter { state, kind: kind.map(KindName::of), ..JobFilter::default() };
    page(&store, "all jobs", JobFilter::default(), PAGE).await;
    page(&store, "a kind, succeeded", of(Some(JobState::Succeeded), Some("bench.kind_3")), PAGE).await;
    page(&store, "a kind, cancelled (1 of 100)", of(Some(JobState::Cancelled), Some("bench.kind_10")), 190).await;
    page(&store, "a kind, dead (1 of 1000)", of(Some(JobState::Dead), Some("bench.kind_7")), PAGE).await;
    page(&store, "a rare kind, dead: none", of(Some(JobState::Dead), Some("rare.kind")), 0).await;
    page(&store, "a rare kind, succeeded: none near", of(Some(JobState::Succeeded), Some("rare.kind")), 0).await;
    page(&store, "a text that is in none near", JobFilter { q: Some("no such".to_owned()), ..of(Some(JobState::Succeeded), None) }, 0)
        .await;
    letters(&store).await;
    store.close().await;
}

async fn fill(url: &str) {
    let options: PgConnectOptions = url.parse().expect("a URL");
    let mut connection: PgConnection = options.disable_statement_logging().connect().await.expect("connects");
    let retained = "set synchronous_commit = off; set work_mem = '64MB'";
    connection.execute(retained).await.expect("sets");
    connection.execute(FILL).await.expect("fills");
    connection.execute("analyze job, dead_letter; checkpoint").await.expect("settles down");
}

/// Two pages, so that the second begins where the first ended; both count.
async fn page(store: &PostgresStore, what: &str, filter: JobFilter, found: usize) {
    let tenant = TenantId::of("default");
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let mut after = None;
        for _ in 0..2 {
            let request = PageRequest { filter: filter.clone(), after, limit: PAGE };
            let began = Instant::now();
            let page = store.jobs(&tenant, &request).await.expect("lists");
            took.push(began.elapsed());
            assert!(page.jobs.len() >= found, "{what}: {} found", page.jobs.len());
            after = page.next;
        }
    }
    say(what, took);
}

async fn letters(store: &PostgresStore) {
    let tenant = TenantId::of("default");
    let (mut took, mut grouped) = (Vec::new(), Vec::new());
    let filter = DeadFilter { reason: Some("http_404".to_owned()), ..DeadFilter::default() };
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let page = store.dead_letters(&tenant, &DeadPage { filter: filter.clone(), after: None, limit: PAGE }).await.expect("lists");
        took.push(began.elapsed());
        assert_eq!(page.dead_letters.len(), 100);
        let began = Instant::now();
        let groups = store.dead_groups(&tenant, &DeadFilter::default(), PAGE).await.expect("groups");
        grouped.push(began.elapsed());
        assert_eq!(groups.iter().map(|group| group.count).sum::<u64>(), 1_000);
    }
    say("dead letters of one reason", took);
    say("groups of 1000 dead letters", grouped);
}

fn say(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let ms = |at: usize| took[at.min(took.len() - 1)].as_secs_f64() * 1_000.0;
    println!(
        "{what:<36} median {:>7.2} ms   p95 {:>7.2} ms   worst {:>7.2} ms",
        ms(took.len() / 2),
        ms(took.len() * 95 / 100),
        ms(took.len())
    );
}
