//! `store-sqlite` is the embedded engine's store: one SQLite file, one process, one writer with group commit.
//! It decides nothing about jobs that `domain` does not decide, and it never retries for its callers.
//!
//! Writes go through [`writer`], reads through [`reader`]. An operation that writes is one struct in the file that its
//! concern names; the traits of the port ([`store::Store`]) only hand over.

mod access;
mod access_row;
mod act;
mod audit;
mod canary;
mod checkpoint;
mod claim;
mod clock;
mod dead_letters;
mod effect;
mod emission;
mod ends;
mod enqueue;
mod event;
mod fault;
mod head;
mod insert;
mod intake;
mod keys;
mod lanes;
mod listing;
mod lock;
mod moves;
mod open;
mod open_error;
mod operation;
mod operation_step;
mod options;
mod overview;
mod perform;
mod planned;
mod promote;
mod rate;
mod reader;
mod reports;
mod rescue;
mod retain;
mod row;
mod rows;
mod schema;
mod settle;
mod shelf;
mod steering;
mod timeline;
mod tx;
mod upkeep;
mod work;
mod worker;
mod write_queue;
mod writer;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use domain::Timestamp;
use store::Store;

use crate::clock::Clock;
use crate::lock::FileLock;
use crate::reader::Reader;
use crate::write_queue::WriteQueue;

pub use lock::Holder;
pub use open_error::OpenError;
pub use options::{CallbackKind, SqliteOptions};
pub use planned::{Plan, PlannedFailures};

/// The embedded engine's store. Dropping it lets the writer finish what waits; [`SqliteStore::close`] waits for that.
pub struct SqliteStore {
    clock: Arc<Clock>,
    queue: WriteQueue,
    reader: Reader,
    planned: PlannedFailures,
    lock: Arc<FileLock>,
    short_of_space: Arc<AtomicBool>,
}

impl SqliteStore {
    /// Tells other processes that find the database in use about this one, such as the URL of its API.
    pub fn set_lock_note(&self, note: &str) -> std::io::Result<()> {
        self.lock.note(note)
    }

    /// Finishes what waits, checkpoints, closes the file and releases the lock. Later calls are `Unavailable`.
    pub async fn close(&self) {
        self.reader.pool.close().await;
        self.queue.close().await;
    }

    /// Stops as a killed process would, for tests of what the next start finds.
    #[doc(hidden)]
    pub async fn kill(&self) {
        self.queue.kill().await;
        self.reader.pool.close().await;
        self.lock.release();
    }

    /// Moves the store's clock forward, for tests.
    #[doc(hidden)]
    pub fn shift_clock(&self, by: Duration) {
        self.clock.shift(by);
    }

    /// Sets the host's clock as the store sees it to another time, for tests.
    #[doc(hidden)]
    pub fn set_host_clock(&self, by_secs: i64) {
        self.clock.set_wall(by_secs.saturating_mul(1_000_000));
    }

    /// Where tests plan failures of statements.
    #[doc(hidden)]
    pub fn planned_failures(&self) -> &PlannedFailures {
        &self.planned
    }

    /// How many writes wait for the writer.
    pub fn writes_waiting(&self) -> usize {
        self.queue.waiting()
    }
}

impl Store for SqliteStore {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
