//! What does a caller decide when it opens the store?

use std::path::PathBuf;
use std::time::Duration;

use domain::{Job, KindName, QueueName};
use kinds::{Deliver, Kind as _};

/// How to open the embedded engine's store.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The database file; made when it is missing. Its directory must exist.
    pub path: PathBuf,
    /// Which job tells a `callback_url` that its job has ended; `None`: nobody is told.
    pub callback: Option<CallbackKind>,
    /// Read-only connections, made when they are first needed.
    pub readers: u32,
    /// How long a write may wait for the writer and its commit.
    pub write_deadline: Duration,
    /// How long a read may take, waiting for a connection included.
    pub read_deadline: Duration,
    /// How long SQLite waits for a lock of another program.
    pub busy_timeout: Duration,
    /// How long SQLite's write-ahead log may get before the writer waits for readers to let go of it.
    pub log_bytes_max: u64,
}

impl SqliteOptions {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            callback: Some(CallbackKind::default()),
            readers: 4,
            write_deadline: Duration::from_secs(10),
            read_deadline: Duration::from_secs(5),
            busy_timeout: Duration::from_secs(3),
            log_bytes_max: 128 * 1024 * 1024,
        }
    }
}

/// The kind of job that tells a `callback_url` that its job has ended.
#[derive(Clone, Debug)]
pub struct CallbackKind {
    pub kind: KindName,
    pub queue: QueueName,
    pub max_attempts: u16,
    pub timeout: Duration,
    /// Its payload, from the job as it ended.
    pub payload: fn(&Job) -> String,
}

impl Default for CallbackKind {
    fn default() -> Self {
        Self {
            kind: KindName::of(Deliver::NAME),
            queue: QueueName::of(Deliver::QUEUE),
            max_attempts: Deliver::MAX_ATTEMPTS,
            timeout: Deliver::TIMEOUT,
            payload: kinds::callback_payload,
        }
    }
}
