//! What does a person learn when the database cannot be opened?

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use store::contract::Fixture as _;
use store::contract::bench::Bench;
use store_sqlite::{Holder, OpenError, SqliteOptions, SqliteStore};
use testkit::Scratch;

use crate::fixture::{SqliteFixture, open};

async fn refused(path: &Path) -> OpenError {
    let options = SqliteOptions { busy_timeout: Duration::from_millis(10), ..SqliteOptions::new(path) };
    let Err(error) = SqliteStore::open(options).await else { panic!("it must not open") };
    assert!(!error.hint().is_empty());
    error
}

/// A database with our schema that nobody has open.
async fn closed(scratch: &Scratch) -> PathBuf {
    let path = scratch.join("a.db");
    open(path.clone()).await.close().await;
    path
}

async fn run(path: &Path, sql: &'static str) {
    let mut connection = SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.expect("connects");
    connection.execute(sql).await.expect("runs");
    connection.close().await.expect("closes");
}

#[tokio::test]
async fn a_database_in_use_names_its_holder() {
    let scratch = Scratch::new();
    let path = scratch.join("a.db");
    let store = open(path.clone()).await;
    store.set_lock_note("http://127.0.0.1:8080").expect("notes");
    let error = refused(&path).await;
    let sentence = error.to_string();
    let OpenError::Held { holder, .. } = error else { panic!("{sentence}") };
    assert_eq!(holder, Some(Holder { pid: std::process::id(), note: "http://127.0.0.1:8080".to_owned() }));
    assert!(sentence.contains("in use by another process (pid ") && sentence.ends_with(", http://127.0.0.1:8080)"), "{sentence}");
    store.close().await;
    open(path).await.close().await;
}

/// A database has one holder, whatever names it has.
#[cfg(unix)]
#[tokio::test]
async fn a_database_in_use_is_recognised_by_another_name() {
    let scratch = Scratch::new();
    let (path, link) = (scratch.join("a.db"), scratch.join("b.db"));
    std::os::unix::fs::symlink(&path, &link).expect("links");
    let store = open(link.clone()).await;
    assert!(path.exists() && !scratch.join("b.db.lock").exists(), "it is where the link leads");
    for name in [&path, &link] {
        let error = refused(name).await;
        assert!(matches!(error, OpenError::Held { .. }), "{error:?}");
    }
    store.close().await;
    open(path).await.close().await;
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let scratch = Scratch::new();
    let path = closed(&scratch).await;
    run(&path, "insert into _sqlx_migrations select 9999, 'later', installed_on, success, checksum, 0 from _sqlx_migrations limit 1").await;
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Newer { found: 9_999, .. }), "{error:?}");
    assert!(error.to_string().contains("has schema version 9999, this program knows up to "), "{error}");
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    let scratch = Scratch::new();
    let path = closed(&scratch).await;
    run(&path, "update _sqlx_migrations set checksum = x'00'").await;
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Migrate { .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    let path = scratch.join("a.db");
    std::fs::write(&path, "hello, I am a text file").expect("writes");
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(&path).expect("reads"), "hello, I am a text file");
}

#[tokio::test]
async fn a_damaged_database_is_recognised() {
    let scratch = Scratch::new();
    let path = closed(&scratch).await;
    let mut bytes = std::fs::read(&path).expect("reads");
    bytes[100..].fill(0xa5);
    std::fs::write(&path, bytes).expect("writes");
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn a_truncated_database_is_recognised() {
    let scratch = Scratch::new();
    let path = closed(&scratch).await;
    let bytes = std::fs::read(&path).expect("reads");
    std::fs::write(&path, &bytes[..4_096]).expect("writes");
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.join("a.db");
    run(&path, "create table notes (text)").await;
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
}

#[tokio::test]
async fn a_database_locked_by_another_program_is_refused() {
    let scratch = Scratch::new();
    let path = closed(&scratch).await;
    let mut shell = SqliteConnectOptions::new().filename(&path).connect().await.expect("connects");
    for lock in ["begin immediate", "pragma locking_mode = exclusive; begin exclusive"] {
        shell.execute(lock).await.expect("locks");
        let error = refused(&path).await;
        assert!(matches!(error, OpenError::Locked { .. }), "{lock}: {error:?}");
        shell.execute("rollback").await.expect("unlocks");
    }
    shell.close().await.expect("closes");
    open(path).await.close().await;
}

#[tokio::test]
async fn places_where_no_database_can_be_are_named() {
    let scratch = Scratch::new();
    let error = refused(&scratch.join("missing/a.db")).await;
    assert!(matches!(error, OpenError::DirectoryMissing { .. }), "{error:?}");
    std::fs::create_dir(scratch.join("a.db")).expect("makes a directory");
    let error = refused(&scratch.join("a.db")).await;
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let f = SqliteFixture::new().await;
    Bench::new(&f).await.queued().await;
    for name in ["flotilla.db", "flotilla.db.lock", "flotilla.db-wal", "flotilla.db-shm"] {
        let mode = std::fs::metadata(f.path().with_file_name(name)).expect("exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(f.violations().await, Vec::<String>::new());
}
