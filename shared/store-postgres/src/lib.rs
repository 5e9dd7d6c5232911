//! `store-postgres` is the distributed engine's store: PostgreSQL with jobs in partitions by time, an emission ledger, and group
//! commit. It decides nothing about jobs that `domain` does not decide, and it never retries for its callers.
//!
//! Writes go through [`lane`]s, reads through [`reader`]. An operation that writes is one struct in the file that its concern names;
//! the traits of the port ([`store::Store`], [`store::Ledger`]) only hand over. Many processes share one database: whatever is decided
//! by what was read is read under a lock, or checked by the statement that writes.

mod access;
mod access_row;
mod act;
mod audit;
mod batcher;
mod checkup;
mod claim;
mod clock;
mod compact;
mod connection;
mod dead_letter;
mod effect;
mod emission;
mod ends;
mod enqueue;
mod event;
mod fault;
mod head;
mod health;
mod insert;
mod intake;
mod keeper;
mod keys;
mod lane;
mod ledger;
mod listing;
mod moves;
mod open;
mod open_error;
mod operation;
mod operation_row;
mod options;
mod overview;
mod paces;
mod partition;
mod planned;
mod promote;
mod rate;
mod reader;
mod reports;
mod rescue;
mod retain;
mod row;
mod schema;
mod server_run;
mod settle;
mod shelf;
mod steer;
mod steering;
mod timeline;
mod tx;
mod unless_locked;
mod upkeep;
mod walk;
mod warm;
mod work;
mod worker;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use store::Store;

use crate::batcher::Batcher;
use crate::lane::Lanes;
use crate::reader::Reader;
use crate::tx::Context;

pub use checkup::{Checkup, Finding, Level};
#[doc(hidden)]
pub use connection::plan_settings;
pub use open::{Migrated, migrate};
pub use open_error::OpenError;
pub use options::{CallbackKind, PostgresOptions};
pub use planned::{Plan, PlannedFailures};

/// The distributed engine's store. [`PostgresStore::close`] waits for what is being written.
pub struct PostgresStore {
    context: Arc<Context>,
    lanes: Arc<Lanes>,
    batcher: Batcher,
    reader: Arc<Reader>,
    keeper: tokio::task::JoinHandle<()>,
    planned: PlannedFailures,
}

impl PostgresStore {
    /// Finishes what waits and closes the connections. Later calls are `Unavailable`.
    pub async fn close(&self) {
        self.keeper.abort();
        self.batcher.close().await;
        self.lanes.close().await;
        self.reader.close().await;
    }

    /// Stops as a killed process would, for tests of what the others see.
    #[doc(hidden)]
    pub async fn kill(&self) {
        self.keeper.abort();
        self.batcher.kill().await;
        self.lanes.kill().await;
        self.reader.close().await;
    }

    /// Moves the store's clock forward, for tests.
    #[doc(hidden)]
    pub fn shift_clock(&self, by: Duration) {
        self.context.clock.advance(by);
    }

    /// Where tests plan failures of statements.
    #[doc(hidden)]
    pub fn planned_failures(&self) -> &PlannedFailures {
        &self.planned
    }

    /// Whether any write is being done.
    pub fn is_writing(&self) -> bool {
        self.lanes.is_writing()
    }

    /// How many writes wait for their turn.
    pub fn writes_waiting(&self) -> usize {
        self.lanes.waiting() + self.batcher.waiting()
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Store for PostgresStore {
    fn now(&self) -> Timestamp {
        self.context.clock.now()
    }
}
