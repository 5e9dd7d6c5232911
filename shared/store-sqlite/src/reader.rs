//! How does a read reach the database? On one of a few read-only connections, within a deadline.

use std::future::Future;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow};
use store::StoreError;
use tokio::time::timeout;

use crate::fault::Fault;
use crate::tx::Sql;

/// Readers see every commit that was answered before they began.
pub(crate) struct Reader {
    pub(crate) pool: SqlitePool,
    deadline: Duration,
}

impl Reader {
    /// Connects when first read from.
    pub(crate) fn new(connect: SqliteConnectOptions, readers: u32, deadline: Duration) -> Self {
        let pool = SqlitePoolOptions::new()
            .max_connections(readers.max(1))
            .acquire_timeout(deadline)
            // An idle process gives the memory back.
            .idle_timeout(Duration::from_secs(60))
            .test_before_acquire(false)
            .connect_lazy_with(connect);
        Self { pool, deadline }
    }

    pub(crate) async fn rows(&self, doing: &'static str, statement: Sql) -> Result<Vec<SqliteRow>, StoreError> {
        self.within(doing, async { Ok(statement.fetch_all(&self.pool).await?) }).await
    }

    pub(crate) async fn row(&self, doing: &'static str, statement: Sql) -> Result<Option<SqliteRow>, StoreError> {
        self.within(doing, async { Ok(statement.fetch_optional(&self.pool).await?) }).await
    }

    /// Runs a read of several statements under the deadline.
    pub(crate) async fn within<T>(
        &self,
        doing: &'static str,
        read: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, StoreError> {
        let late = |_| Fault::Away("the read did not end within its deadline").into_error(doing);
        timeout(self.deadline, read).await.map_err(late)?.map_err(|fault| fault.into_error(doing))
    }
}
