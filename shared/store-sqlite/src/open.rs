//! How is the database opened? Lock, check, migrate, then the writer and the readers.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _};
use store::Mint;

use crate::SqliteStore;
use crate::checkpoint::Checkpoints;
use crate::clock::Clock;
use crate::lock::{FileLock, private_file};
use crate::open_error::OpenError;
use crate::options::SqliteOptions;
use crate::planned::PlannedFailures;
use crate::reader::Reader;
use crate::retain::RetainedFrom;
use crate::schema;
use crate::tx::{Context, sql};
use crate::write_queue::WriteQueue;
use crate::writer::Writer;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

impl SqliteStore {
    /// Opens the database, making and migrating it as needed. The file belongs to this process from then on.
    pub async fn open(options: SqliteOptions) -> Result<Self, OpenError> {
        let path = &real_path(&options.path)?;
        let lock = Arc::new(FileLock::take(path)?);
        check_header(path)?;
        let connect = connect_options(&options, path);
        let mut connection = connect.clone().connect().await.map_err(|error| OpenError::of_sql(error, path))?;
        let session = match prepare(&mut connection, path).await {
            Ok(session) => session,
            Err(error) => return Err(diagnose(connection, error, path).await),
        };
        let clock = Arc::new(Clock::default());
        let planned = PlannedFailures::default();
        let short_of_space = Arc::<AtomicBool>::default();
        let context = Context {
            clock: clock.clone(),
            mint: Mint::default(),
            callback: options.callback.clone(),
            session,
            planned: planned.clone(),
            retained_from: RetainedFrom::default(),
            short_of_space: Arc::clone(&short_of_space),
        };
        let reader = Reader::new(connect.clone().read_only(true).pragma("cache_size", "-512"), options.readers, options.read_deadline);
        let checkpoints = Checkpoints::of(path, options.log_bytes_max);
        let writer = Writer { connection: Some(connection), connect, context: Arc::new(context), lock: lock.clone(), checkpoints };
        let queue = WriteQueue::start(writer, options.write_deadline);
        Ok(Self { clock, queue, reader, planned, lock, short_of_space })
    }
}

/// Where the database really is: one that is reached by two names has one lock. Makes the file private before SQLite does.
fn real_path(path: &Path) -> Result<PathBuf, OpenError> {
    let made = private_file().read(true).open(path).and_then(|_| path.canonicalize());
    made.map_err(|error| OpenError::of_io(error, path))
}

fn connect_options(options: &SqliteOptions, path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A commit that was answered survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        .busy_timeout(options.busy_timeout)
        .statement_cache_capacity(192)
        // Kibibytes: what an idle process keeps.
        .pragma("cache_size", "-4096")
        .pragma("temp_store", "memory")
        // Pages (16 MiB): fewer checkpoints under load, a bounded log.
        .pragma("wal_autocheckpoint", "4096")
        .pragma("journal_size_limit", "67108864")
        .row_buffer_size(1_024)
        .thread_name(|number| format!("sqlite-{number}"))
        .disable_statement_logging()
}

/// Refuses what is no database before SQLite touches it.
fn check_header(path: &Path) -> Result<(), OpenError> {
    let mut file = File::open(path).map_err(|error| OpenError::of_io(error, path))?;
    let mut header = Vec::with_capacity(MAGIC.len());
    std::io::Read::by_ref(&mut file).take(MAGIC.len() as u64).read_to_end(&mut header).map_err(|error| OpenError::of_io(error, path))?;
    if header.is_empty() || header == MAGIC {
        return Ok(());
    }
    Err(OpenError::Corrupt { path: path.to_owned(), detail: "its first bytes are not those of a database".to_owned() })
}

/// Brings the schema up to date and returns the number of this session.
async fn prepare(connection: &mut SqliteConnection, path: &Path) -> Result<i64, OpenError> {
    schema::migrate(connection, path).await?;
    // Nothing above writes when the schema is up to date: that another program holds the write lock must show now, not later.
    for statement in ["begin immediate", "rollback"] {
        connection.execute(sql(statement)).await.map_err(|error| OpenError::of_sql(error, path))?;
    }
    let row = sql(include_str!("../queries/worker_next_session.sql")).fetch_one(connection).await;
    row.and_then(|row| row.try_get(0)).map_err(|error| OpenError::of_sql(error, path))
}

/// Damage shows in many ways; when something failed for no better known reason, asks SQLite for its opinion.
async fn diagnose(mut connection: SqliteConnection, error: OpenError, path: &Path) -> OpenError {
    if !matches!(error, OpenError::Other { .. } | OpenError::Migrate { .. }) {
        return error;
    }
    let checked = sql("pragma quick_check(1)").fetch_one(&mut connection).await.and_then(|row| row.try_get::<String, _>(0));
    let _ = connection.close().await;
    match checked {
        Ok(verdict) if verdict == "ok" => error,
        Ok(verdict) => OpenError::Corrupt { path: path.to_owned(), detail: verdict },
        Err(failed) => OpenError::of_sql(failed, path),
    }
}
