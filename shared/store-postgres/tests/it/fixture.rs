//! What does a test start from? A store in a database that nobody else uses meanwhile, copied from one that is migrated once.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _};
use store::contract::Fixture;
use store::{Ledger, Store};
use store_postgres::{PostgresOptions, PostgresStore};
use testkit::eventually;
use testkit::servers::{self, PostgresServer};

use crate::dump;

/// One number for all who make the template.
const TEMPLATE_LOCK: i64 = 7_041_776;

pub struct PostgresFixture {
    pub database: Database,
    pub store: Arc<PostgresStore>,
    shifted: parking_lot::Mutex<Duration>,
}

/// A database of one test.
pub struct Database {
    server: PostgresServer,
    name: String,
    /// The session that keeps others from a database that is used again; without one it is dropped at the end.
    kept_by: Option<parking_lot::Mutex<PgConnection>>,
}

impl Database {
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    pub async fn connect(&self) -> PgConnection {
        connect(&self.url()).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.kept_by.is_some() {
            return;
        }
        let (url, name) = (self.server.admin_url(), self.name.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
            runtime.block_on(async {
                let mut admin = connect(&url).await;
                let drop = format!("drop database if exists {name} with (force)");
                admin.execute(AssertSqlSafe(drop)).await.expect("a database of ours can be dropped");
            });
        });
        // A test that fails says why by itself.
        let _ = dropping.join();
    }
}

pub async fn connect(url: &str) -> PgConnection {
    let options: PgConnectOptions = url.parse().expect("a URL");
    options.disable_statement_logging().connect().await.expect("the server of this run answers")
}

pub fn options(url: &str) -> PostgresOptions {
    PostgresOptions::new(url.parse().expect("any text is a secret"))
}

/// A database that nobody has migrated.
pub async fn empty_database() -> Database {
    let server = servers::postgres().expect("the caller has looked");
    let name = servers::unique_name("t");
    connect(&server.admin_url()).await.execute(AssertSqlSafe(format!("create database {name}"))).await.expect("a database is made");
    Database { server, name, kept_by: None }
}

/// A migrated database that no other test has seen or will see: for those that change its tables, or look at its figures.
pub async fn fresh_database() -> Database {
    let server = servers::postgres().expect("the caller has looked");
    let name = servers::unique_name("t");
    copy_template(&server, &mut connect(&server.admin_url()).await, &name).await;
    Database { server, name, kept_by: None }
}

async fn copy_template(server: &PostgresServer, admin: &mut PgConnection, name: &str) {
    let template = template(server, admin).await;
    let make = format!("create database {name} template {template}");
    admin.execute(AssertSqlSafe(make)).await.expect("a template can be copied");
}

/// A migrated, empty database; making and dropping one for every test would cost more than all tests together.
pub async fn database() -> Database {
    let server = servers::postgres().expect("the caller has looked");
    let mut admin = connect(&server.admin_url()).await;
    for number in 0_u32.. {
        let name = format!("pool_{:016x}_{number}", schema_hash());
        let take = sqlx::query("select pg_try_advisory_lock(hashtextextended($1, 0))").bind(&name);
        if take.fetch_one(&mut admin).await.expect("a lock").get(0) {
            if !is_usable(&server, &mut admin, &name).await {
                admin.execute(AssertSqlSafe(format!("drop database if exists {name} with (force)"))).await.expect("it goes");
                copy_template(&server, &mut admin, &name).await;
            }
            return Database { server, name, kept_by: Some(admin.into()) };
        }
    }
    unreachable!("numbers do not end");
}

/// Whether there is such a database and it could be emptied.
async fn is_usable(server: &PostgresServer, admin: &mut PgConnection, name: &str) -> bool {
    let there = sqlx::query("select 1 from pg_database where datname = $1").bind(name);
    if there.fetch_optional(&mut *admin).await.expect("a catalogue").is_none() {
        return false;
    }
    // What a killed store had sent may still be running.
    let others = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1";
    eventually("nobody else is connected", Duration::from_secs(20), async || {
        sqlx::query(others).bind(name).fetch_one(&mut *admin).await.is_ok_and(|row| row.get::<i64, _>(0) == 0)
    })
    .await;
    let mut inside = connect(&server.url(name)).await;
    let partitions = "select count(*) from pg_inherits where inhparent = to_regclass('job')";
    let partitions: i64 = sqlx::query(partitions).fetch_one(&mut inside).await.expect("a catalogue").get(0);
    inside.execute(EMPTY).await.expect("tables can be emptied");
    inside.close().await.expect("closes");
    // Retention may have dropped some.
    store_postgres::migrate(&options(&server.url(name))).await.expect("partitions are made");
    (1..40).contains(&partitions)
}

/// Deletes every row of every table of ours.
const EMPTY: &str = r"do $$ declare t text; begin
    for t in select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
        and relname !~ '^_sqlx'
    loop execute format('delete from %I', t); end loop;
end $$";

/// Where the migrations are.
pub fn migrations() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/postgres")
}

fn schema_hash() -> u64 {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(migrations()).expect("the migrations").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    files.iter().for_each(|file| std::fs::read_to_string(file).expect("text").hash(&mut hasher));
    hasher.finish()
}

/// Migrated once for all tests that come after it, of whatever process.
async fn template(server: &PostgresServer, admin: &mut PgConnection) -> String {
    let name = format!("template_{:016x}", schema_hash());
    sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut *admin).await.expect("a lock");
    let there = sqlx::query("select 1 from pg_database where datname = $1 and datistemplate").bind(&name);
    if there.fetch_optional(&mut *admin).await.expect("a catalogue").is_none() {
        for statement in [format!("drop database if exists {name}"), format!("create database {name}")] {
            admin.execute(AssertSqlSafe(statement)).await.expect("a database is made");
        }
        store_postgres::migrate(&options(&server.url(&name))).await.expect("the schema is made");
        admin.execute(AssertSqlSafe(format!("alter database {name} is_template true"))).await.expect("it becomes a template");
    }
    sqlx::query("select pg_advisory_unlock($1)").bind(TEMPLATE_LOCK).execute(admin).await.expect("the lock is given back");
    name
}

pub async fn open(url: &str) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::open(options(url)).await.expect("a store opens"))
}

impl PostgresFixture {
    pub async fn new() -> Self {
        Self::on(database().await).await
    }

    pub async fn on(database: Database) -> Self {
        let store = open(&database.url()).await;
        Self { database, store, shifted: parking_lot::Mutex::default() }
    }
}

#[async_trait]
impl Fixture for PostgresFixture {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn ledger(&self) -> Option<Arc<dyn Ledger>> {
        Some(self.store.clone())
    }

    fn advance(&self, by: Duration) {
        *self.shifted.lock() += by;
        self.store.shift_clock(by);
    }

    async fn restart(&mut self) {
        self.store.kill().await;
        self.store = open(&self.database.url()).await;
        self.store.shift_clock(*self.shifted.lock());
    }

    async fn violations(&self) -> Vec<String> {
        dump::violations(&self.database.url()).await
    }

    async fn dump(&self) -> String {
        dump::tables(&self.database.url()).await
    }
}

impl PostgresFixture {
    /// Another process's view of the same database.
    pub async fn another(&self) -> Arc<PostgresStore> {
        let store = open(&self.database.url()).await;
        store.shift_clock(*self.shifted.lock());
        store
    }
}
