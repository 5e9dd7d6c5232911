//! What does a person learn when the database cannot be opened, and what when the schema is made or brought up to date?

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::{JobFilter, JobId, JobState, OperationState};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use store::contract::bench::Bench;
use store::contract::sample::{PLENTY, SECOND, a_success, queue, tenant};
use store::{Intake as _, Ledger as _, Mint, Overview as _, Reports as _, Steering as _, Store as _, Upkeep as _};
use store_postgres::{Level, Migrated, OpenError, PostgresStore, migrate};
use testkit::servers::{self, Extras, PrivatePostgres};
use testkit::{eventually, within};

use crate::dump;
use crate::fixture::{Database, database, empty_database, migrations, options};

const LONG: Duration = Duration::from_secs(30);
const SECRET: &str = "geheim%2Fpass";

/// Why it does not open; no word of it, or of what is beneath it, shows a password.
async fn refused(url: &str) -> OpenError {
    let Err(error) = PostgresStore::open(options(url)).await else { panic!("it must not open") };
    assert!(!error.hint().is_empty());
    let mut shown = format!("{error} {error:?} {:?}", options(url));
    let mut cause = error.source();
    while let Some(beneath) = cause {
        shown += &format!(" {beneath} {beneath:?}");
        cause = beneath.source();
    }
    let password = url::Url::parse(url).ok().and_then(|url| url.password().map(str::to_owned)).unwrap_or_else(|| SECRET.to_owned());
    assert!(!shown.contains(&password) && !shown.contains("geheim"), "{shown}");
    error
}

fn with_password(url: &str) -> String {
    let mut url = url::Url::parse(url).expect("a URL");
    url.set_password(Some("geheim/pass")).expect("has a host");
    url.to_string()
}

async fn run(database: &Database, statement: &str) {
    database.connect().await.execute(AssertSqlSafe(statement.to_owned())).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

#[tokio::test]
async fn a_schema_of_another_version_is_refused() {
    needs_postgres!();
    let database = empty_database().await;
    let error = refused(&database.url()).await;
    assert!(matches!(error, OpenError::Older { found: 0, known: 1.. }) && error.hint().contains("flotilla migrate"), "{error:?}");
    migrate(&options(&database.url())).await.expect("migrates");
    PostgresStore::open(options(&database.url())).await.expect("opens").close().await;
    run(
        &database,
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'x', true, '', 0)",
    )
    .await;
    assert!(matches!(refused(&database.url()).await, OpenError::Newer { found: 9999, .. }));
    let error = migrate(&options(&database.url())).await.expect_err("nobody goes back");
    assert!(matches!(error, OpenError::Newer { found: 9999, .. }), "{error:?}");
}

#[tokio::test]
async fn addresses_that_lead_nowhere_say_why() {
    needs_postgres!();
    let server = servers::postgres().expect("looked");
    let error = refused(&with_password(&server.url("postgres"))).await;
    assert!(matches!(error, OpenError::Refused(_)) && !error.is_of_the_moment(), "{error:?}");
    let error = refused(&server.url("no_such_database")).await;
    assert!(matches!(error, OpenError::Missing(_)), "{error:?}");
    let port = servers::free_port().expect("a port");
    let error = refused(&format!("postgres://u:{SECRET}@127.0.0.1:{port}/d")).await;
    assert!(matches!(error, OpenError::Unreachable(_)) && error.is_of_the_moment(), "{error:?}");
    let error = refused(&format!("postgres:///d?host=/nowhere/at/all&user=u&password={SECRET}")).await;
    assert!(matches!(error, OpenError::Unreachable(_)), "{error:?}");
    let error = refused(&format!("{}?sslmode=require", server.url("postgres"))).await;
    assert!(matches!(error, OpenError::Unreachable(_)), "the server has no TLS: {error:?}");
    for garbage in [SECRET.to_owned(), format!("mysql://u:{SECRET}@h/d"), format!("postgres://u:{SECRET}@h/d?sslmode=x")] {
        assert!(matches!(refused(&garbage).await, OpenError::Url));
    }
}

#[tokio::test]
async fn a_unix_socket_will_do() {
    needs_postgres!();
    let extras = Extras { settings: vec!["unix_socket_directories = '{dir}'".to_owned()], ..Extras::default() };
    let Some(server) = PrivatePostgres::start_with(extras).await else { testkit::skip!("postgres", "PostgreSQL is not installed") };
    let url = server.server().admin_url();
    let mut connection = crate::fixture::connect(&url).await;
    let directory: String = connection.fetch_one("show unix_socket_directories").await.expect("shows").get(0);
    let tcp = url::Url::parse(&url).expect("a URL");
    let (user, password, port) = (tcp.username(), tcp.password().unwrap_or_default(), server.port());
    let socket = format!("postgres:///postgres?host={directory}&port={port}&user={user}&password={password}");
    migrate(&options(&socket)).await.expect("migrates");
    let store = PostgresStore::open(options(&socket)).await.expect("opens");
    store.ping().await.expect("answers");
    store.close().await;
}

/// Somebody else's database stays as it is.
#[tokio::test]
async fn a_foreign_database_is_left_alone() {
    needs_postgres!();
    let database = empty_database().await;
    run(&database, "create table customer (id int)").await;
    let migrating = async || migrate(&options(&database.url())).await;
    assert!(matches!(migrating().await, Err(OpenError::Foreign)));
    assert!(matches!(refused(&database.url()).await, OpenError::Foreign));
    let theirs = "create table _sqlx_migrations (version bigint primary key, description text not null, installed_on timestamptz not null
        default now(), success boolean not null, checksum bytea not null, execution_time bigint not null);
        insert into _sqlx_migrations values (1, 'customers', now(), true, '', 0)";
    run(&database, theirs).await;
    assert!(matches!(migrating().await, Err(OpenError::Foreign)));
    assert!(matches!(refused(&database.url()).await, OpenError::Foreign));
    let mut connection = database.connect().await;
    let ours = "select count(*) from pg_class where relname in ('job', 'emission')";
    assert_eq!(connection.fetch_one(ours).await.expect("a catalogue").get::<i64, _>(0), 0);
    // A schema of its own in that database will do.
    run(&database, "create schema flotilla").await;
    let own = format!("{}?options=-c%20search_path%3Dflotilla", database.url());
    migrate(&options(&own)).await.expect("migrates");
    let store = PostgresStore::open(options(&own)).await.expect("opens");
    store.ping().await.expect("answers");
    store.close().await;
}

#[tokio::test]
async fn a_role_that_may_only_read_is_told_so() {
    needs_postgres!();
    let database = database().await;
    let role = servers::unique_name("reader");
    run(&database, &format!("create role {role} login password 'geheim'; grant select on all tables in schema public to {role}")).await;
    let mut url = url::Url::parse(&database.url()).expect("a URL");
    url.set_username(&role).and_then(|()| url.set_password(Some("geheim"))).expect("has a host");
    assert!(matches!(refused(url.as_str()).await, OpenError::ReadOnly));
    run(&database, &format!("drop owned by {role}; drop role {role}")).await;
    let read_only = format!("{}?options=-c%20default_transaction_read_only%3Don", database.url());
    assert!(matches!(refused(&read_only).await, OpenError::ReadOnly));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_number_may_migrate() {
    needs_postgres!();
    let database = empty_database().await;
    let migrating: Vec<_> =
        (0..3).map(|_| options(&database.url())).map(|options| tokio::spawn(async move { migrate(&options).await })).collect();
    let mut made = 0;
    for migrating in migrating {
        let Migrated { to, partitions, .. } = within("the migration", LONG, migrating).await.expect("no panic").expect("migrates");
        assert!(to >= 1);
        made += partitions;
    }
    assert_eq!(made, 10, "each span once");
    let again = migrate(&options(&database.url())).await.expect("migrates");
    assert_eq!((again.from, again.partitions), (again.to, 0));
}

/// A migration that was ended in the middle has done nothing, and the next one does it all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_migration_is_begun_again() {
    needs_postgres!();
    let database = empty_database().await;
    let mut holder = database.connect().await;
    // The migration makes a table of this name near its end, and waits for this transaction there.
    holder.execute("begin; create table audit (id int)").await.expect("begins");
    let interrupted = options(&database.url());
    let migrating = tokio::spawn(async move { migrate(&interrupted).await });
    let mut watcher = database.connect().await;
    let waits = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let pid: i32 =
        eventually("the migration is in the middle", LONG, async || watcher.fetch_optional(waits).await.ok().flatten()).await.get(0);
    watcher.execute(AssertSqlSafe(format!("select pg_terminate_backend({pid})"))).await.expect("ends it");
    let outcome = within("the migration", LONG, migrating).await.expect("no panic");
    assert!(matches!(outcome, Err(OpenError::Unreachable(_))), "{outcome:?}");
    holder.execute("rollback").await.expect("goes");
    assert!(matches!(refused(&database.url()).await, OpenError::Older { found: 0, .. }));
    let migrated = migrate(&options(&database.url())).await.expect("migrates");
    assert_eq!((migrated.from, migrated.partitions), (0, 10));
    PostgresStore::open(options(&database.url())).await.expect("opens").close().await;
}

/// For every number that was ever released there is data in `tests/data`; a database at that number with that data is brought up to
/// date, opens, and its jobs live on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_of_every_earlier_number_opens() {
    needs_postgres!();
    let all = Migrator::new(migrations().as_path()).await.expect("the migrations");
    for migration in all.iter() {
        let number = migration.version;
        let database = empty_database().await;
        let until = all.iter().filter(|other| other.version <= number).cloned().collect::<Vec<_>>();
        let mut connection = database.connect().await;
        Migrator::with_migrations(until).run_direct(None, &mut connection, false).await.expect("migrates to that number");
        let partitioned = Partitioned::of(&database).await;
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/{number:04}.sql"));
        let data = std::fs::read_to_string(&data).unwrap_or_else(|error| panic!("data of {number} is missing: {error}"));
        partitioned.fill(&database, &data).await;
        let migrated = migrate(&options(&database.url())).await.expect("migrates");
        assert_eq!(migrated.from, number);
        partitioned.live_on(&database, number).await;
    }
}

/// One for each day, from yesterday's on.
const PARTITIONS: &str = r"do $$ declare t text; today date := (now() at time zone 'utc')::date; begin
    foreach t in array array['job', 'job_event', 'job_log', 'effect'] loop
        for n in -1..8 loop
            execute format(
                'create table %I partition of %I for values from (%L) to (%L)', t || '_p' || to_char(today + n, 'YYYYMMDD'), t,
                rpad(lpad(to_hex((extract(epoch from today + n) * 1000)::bigint), 12, '0'), 32, '0')::uuid,
                rpad(lpad(to_hex((extract(epoch from today + n + 1) * 1000)::bigint), 12, '0'), 32, '0')::uuid
            );
        end loop;
    end loop;
end $$";

/// The jobs of `tests/data`: waiting, queued, succeeded, running under a worker that is gone, dead.
struct Partitioned {
    ids: Vec<JobId>,
    now: i64,
}

impl Partitioned {
    /// Partitions are made after the last migration; here they are made as a fleet has them whose last one this was.
    async fn of(database: &Database) -> Self {
        let mut connection = database.connect().await;
        connection.execute(PARTITIONS).await.expect("makes partitions");
        let now: i64 = connection.fetch_one("select flotilla_now()").await.expect("the time").get(0);
        let mint = Mint::default();
        let ids = (0..5).map(|_| mint.job(domain::Timestamp::from_micros(now))).collect();
        Self { ids, now }
    }

    async fn fill(&self, database: &Database, data: &str) {
        let mut text = data.replace("$now", &self.now.to_string());
        for (n, id) in self.ids.iter().enumerate() {
            text = text.replace(&format!("$id{}", n + 1), &id.to_string());
        }
        run(database, &text).await;
        assert_eq!(dump::violations(&database.url()).await, Vec::<String>::new(), "the data keeps every promise");
    }

    async fn live_on(&self, database: &Database, number: i64) {
        let store = Arc::new(PostgresStore::open(options(&database.url())).await.expect("opens"));
        let b = Bench { store: store.clone(), mint: Mint::default() };
        self.goes_on(&store, number).await;
        assert_eq!(b.jobs(JobFilter::default()).await.len(), self.ids.len());
        assert_eq!(store.promote(PLENTY).await.expect("promotes").promoted, 1);
        assert_eq!(store.rescue(PLENTY).await.expect("rescues").retried, 1);
        store.shift_clock(SECOND * 70);
        assert_eq!(store.promote(PLENTY).await.expect("promotes").promoted, 1);
        b.replay(self.ids[4]).await;
        assert_eq!(store.unannounced(PLENTY).await.expect("reads"), [], "what was replayed is not dead");
        let worker = b.worker().await;
        let open: Vec<JobId> = [0, 1, 3, 4].map(|n: usize| self.ids[n]).to_vec();
        for claimed in b.claim(worker, &open).await {
            b.end(worker, &claimed, a_success()).await;
        }
        for id in &self.ids {
            assert_eq!(b.state(*id).await, JobState::Succeeded);
        }
        assert_eq!(store.queues().await.expect("lists"), [queue()]);
        assert!(store.timeline(&tenant(), self.ids[4]).await.expect("reads").len() > 3);
        assert_eq!(dump::violations(&database.url()).await, Vec::<String>::new());
        store.close().await;
    }
}

impl Partitioned {
    /// What is known of operations and figures, from the number on that knows them.
    async fn goes_on(&self, store: &PostgresStore, number: i64) {
        let step = store.operation_step(PLENTY).await.expect("goes on");
        let figures = store.throughput(domain::Timestamp::from_micros(self.now) - SECOND * 60).await.expect("reads");
        let operations = store.operations(&tenant(), 10).await.expect("lists");
        if number < 2 {
            assert_eq!((step, figures, operations), (None, Vec::new(), Vec::new()));
            return;
        }
        let after = step.expect("it was open").operation;
        assert_eq!((after.state, after.looked_at, after.skipped), (OperationState::Succeeded, 1, 1), "a success cannot be cancelled");
        assert_eq!((operations.len(), operations[1].state), (2, OperationState::Succeeded), "newest first");
        assert_eq!(figures.iter().map(|one| (one.succeeded, one.dead)).collect::<Vec<_>>(), [(1, 1)]);
    }
}

#[tokio::test]
async fn a_checkup_tells_what_there_is() {
    needs_postgres!();
    let database = database().await;
    let store = Arc::new(PostgresStore::open(options(&database.url())).await.expect("opens"));
    let b = Bench { store: store.clone(), mint: Mint::default() };
    let checkup = store.checkup(store.now()).await.expect("looks");
    assert_eq!((checkup.schema_found, checkup.oldest_unconfirmed), (checkup.schema_known, None));
    assert!(checkup.can_create && checkup.owns_tables && checkup.partitions_ahead == 8 && checkup.connections_used > 0, "{checkup:?}");
    assert!(checkup.database_bytes > 1_000_000 && checkup.clock_offset_ms.abs() < 1_000 && !checkup.in_recovery, "{checkup:?}");
    b.queued().await;
    store.shift_clock(SECOND * 300);
    let checkup = store.checkup(store.now() + SECOND * 60).await.expect("looks");
    assert_eq!(checkup.emissions.unconfirmed, 1);
    assert!((59_000..=60_000).contains(&-checkup.clock_offset_ms), "{checkup:?}");
    let findings = checkup.findings();
    let errors: Vec<_> = findings.iter().filter(|finding| finding.level == Level::Error).map(|finding| finding.what.as_str()).collect();
    assert!(errors.iter().any(|what| what.contains(" s apart")), "{findings:#?}");
    assert!(findings.iter().any(|finding| finding.what.contains("1 messages wait")), "{findings:#?}");
    store.close().await;
}
