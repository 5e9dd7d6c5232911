//! How does a write reach the database? Through one transaction that counts its statements.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use domain::Timestamp;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Executor as _, SqlSafeStr};
use store::Mint;

use crate::clock::Clock;
use crate::fault::Fault;
use crate::options::CallbackKind;
use crate::planned::PlannedFailures;
use crate::retain::RetainedFrom;

/// A statement with what is bound to it.
pub(crate) type Sql = Query<'static, Sqlite, SqliteArguments>;

pub(crate) fn sql(text: impl SqlSafeStr) -> Sql {
    sqlx::query(text)
}

/// What every transaction needs besides its connection.
pub(crate) struct Context {
    pub(crate) clock: Arc<Clock>,
    pub(crate) mint: Mint,
    pub(crate) callback: Option<CallbackKind>,
    pub(crate) session: i64,
    pub(crate) planned: PlannedFailures,
    pub(crate) retained_from: RetainedFrom,
    /// The last write found no space; set and cleared by the writer.
    pub(crate) short_of_space: Arc<AtomicBool>,
}

/// The open transaction. Only the writer makes one.
pub(crate) struct Tx<'c> {
    connection: &'c mut SqliteConnection,
    pub(crate) context: &'c Context,
    /// The store's time, read once per operation.
    pub(crate) now: Timestamp,
    /// The time that leases are judged by, read with it.
    pub(crate) steady: Timestamp,
    statements: u32,
}

impl<'c> Tx<'c> {
    pub(crate) async fn begin(connection: &'c mut SqliteConnection, context: &'c Context) -> Result<Self, Fault> {
        connection.execute(sql("begin immediate")).await?;
        Ok(Self { connection, context, now: context.clock.now(), steady: context.clock.steady(), statements: 0 })
    }

    /// The next operation of a group starts: its own time, its own count of statements.
    pub(crate) fn next_operation(&mut self) {
        self.now = self.context.clock.now();
        self.steady = self.context.clock.steady();
        self.statements = 0;
    }

    /// Executes and returns the number of rows touched.
    pub(crate) async fn execute(&mut self, statement: Sql) -> Result<u64, Fault> {
        self.count()?;
        Ok(self.connection.execute(statement).await?.rows_affected())
    }

    pub(crate) async fn rows(&mut self, statement: Sql) -> Result<Vec<SqliteRow>, Fault> {
        self.count()?;
        Ok(self.connection.fetch_all(statement).await?)
    }

    pub(crate) async fn row(&mut self, statement: Sql) -> Result<Option<SqliteRow>, Fault> {
        self.count()?;
        Ok(self.connection.fetch_optional(statement).await?)
    }

    pub(crate) async fn commit(mut self) -> Result<(), Fault> {
        self.count()?;
        self.connection.execute(sql("commit")).await?;
        if self.context.planned.loses_reply() { Err(Fault::Planned) } else { Ok(()) }
    }

    fn count(&mut self) -> Result<(), Fault> {
        let number = self.statements;
        self.statements += 1;
        assert!(!self.context.planned.panics(), "a test planned this panic");
        if self.context.planned.runs_out_of_space() {
            return Err(sqlx::Error::Io(std::io::ErrorKind::StorageFull.into()).into());
        }
        if self.context.planned.fails(number) { Err(Fault::Planned) } else { Ok(()) }
    }
}
