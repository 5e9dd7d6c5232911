//! What keeps the write-ahead log short when readers never all pause?
//!
//! SQLite's own checkpoints move what is committed into the database as far as the oldest reader allows, but the log starts
//! over only at a moment when nobody reads from it. Under overlapping readers that moment never comes by itself; so when
//! the log has grown long the writer waits for it, bounded by the busy timeout. Readers end, by their deadline.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Executor as _, Row as _};
use tokio::time::Instant;

use crate::tx::sql;

/// Between two tries, so that readers that do not end cannot hold up every write.
const TRY_EVERY: Duration = Duration::from_secs(10);

pub(crate) struct Checkpoints {
    log: PathBuf,
    bytes_max: u64,
    tried: Option<Instant>,
}

impl Checkpoints {
    pub(crate) fn of(database: &Path, bytes_max: u64) -> Self {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        Self { log: log.into(), bytes_max, tried: None }
    }

    pub(crate) async fn after_commit(&mut self, connection: Option<&mut SqliteConnection>) {
        let Some(connection) = connection else { return };
        if self.tried.is_some_and(|at| at.elapsed() < TRY_EVERY) || self.length() <= self.bytes_max {
            return;
        }
        self.tried = Some(Instant::now());
        // Empties the log as well: it must not stay that long on the disk.
        match connection.fetch_one(sql("pragma wal_checkpoint(truncate)")).await.and_then(|row| row.try_get::<i64, _>(0)) {
            Ok(0) => tracing::debug!("the write-ahead log was long and starts over"),
            Ok(_) => tracing::warn!("the write-ahead log is long and cannot start over, because something reads for a long time"),
            Err(error) => tracing::warn!(%error, "the write-ahead log is long and could not be checkpointed"),
        }
    }

    fn length(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |found| found.len())
    }
}
