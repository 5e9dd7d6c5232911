//! Does the write-ahead log stay short, also when somebody always reads?

use std::sync::Arc;
use std::time::Duration;

use domain::NewJob;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use store::{Intake as _, Mint, Store as _};
use store_sqlite::{SqliteOptions, SqliteStore};
use testkit::Scratch;

const LOG_BYTES_MAX: u64 = 256 * 1024;

async fn open(scratch: &Scratch) -> SqliteStore {
    let options =
        SqliteOptions { log_bytes_max: LOG_BYTES_MAX, busy_timeout: Duration::from_millis(10), ..SqliteOptions::new(scratch.join("a.db")) };
    SqliteStore::open(options).await.expect("opens")
}

/// Records something about twice as long as the log may be.
async fn write(store: &SqliteStore) {
    let payload: Arc<str> = format!("\"{}\"", "x".repeat(usize::try_from(LOG_BYTES_MAX).expect("small") * 2)).into();
    let id = Mint::default().job(store.now());
    let job = NewJob {
        id,
        tenant: store::contract::sample::tenant(),
        kind: store::contract::sample::kind(),
        queue: store::contract::sample::queue(),
        priority: domain::Priority::Normal,
        payload,
        run_at: None,
        start_before: None,
        max_attempts: 1,
        timeout: Duration::from_secs(1),
        tags: Vec::new(),
        group: None,
        callback_url: None,
        unique: None,
        idempotency: None,
        trace: store::contract::sample::trace(),
    };
    store.enqueue(vec![job]).await.expect("is recorded");
}

fn length(scratch: &Scratch) -> u64 {
    std::fs::metadata(scratch.join("a.db-wal")).expect("a log").len()
}

#[tokio::test]
async fn a_long_log_starts_over() {
    let scratch = Scratch::new();
    let store = open(&scratch).await;
    write(&store).await;
    assert!(length(&scratch) < LOG_BYTES_MAX, "{}", length(&scratch));
    store.close().await;
}

#[tokio::test]
async fn a_reader_that_does_not_end_stops_nobody() {
    let scratch = Scratch::new();
    let store = open(&scratch).await;
    let mut reader = SqliteConnectOptions::new().filename(scratch.join("a.db")).read_only(true).connect().await.expect("connects");
    reader.execute("begin; select count(*) from job").await.expect("reads");
    for _ in 0..3 {
        write(&store).await;
    }
    assert!(length(&scratch) > LOG_BYTES_MAX, "the reader still needs it");
    reader.execute("commit").await.expect("ends");
    reader.close().await.expect("closes");
    store.close().await;
}
