//! What does a test start from? A store in a directory of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use store::Store;
use store::contract::Fixture;
use store_sqlite::{SqliteOptions, SqliteStore};
use testkit::Scratch;

use crate::dump;

pub struct SqliteFixture {
    scratch: Scratch,
    pub store: Arc<SqliteStore>,
    shifted: parking_lot::Mutex<Duration>,
}

impl SqliteFixture {
    pub async fn new() -> Self {
        let scratch = Scratch::new();
        let store = open(scratch.join("flotilla.db")).await;
        Self::of(scratch, store)
    }

    /// A store that is open there already.
    pub fn of(scratch: Scratch, store: Arc<SqliteStore>) -> Self {
        Self { scratch, store, shifted: parking_lot::Mutex::default() }
    }

    pub fn path(&self) -> PathBuf {
        self.scratch.join("flotilla.db")
    }
}

pub async fn open(path: PathBuf) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(SqliteOptions::new(path)).await.expect("a store opens"))
}

#[async_trait]
impl Fixture for SqliteFixture {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn advance(&self, by: Duration) {
        *self.shifted.lock() += by;
        self.store.shift_clock(by);
    }

    async fn restart(&mut self) {
        self.store.kill().await;
        self.store = open(self.path()).await;
        self.store.shift_clock(*self.shifted.lock());
    }

    async fn violations(&self) -> Vec<String> {
        dump::violations(&self.path()).await
    }

    async fn dump(&self) -> String {
        dump::tables(&self.path()).await
    }
}
