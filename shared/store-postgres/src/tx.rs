//! How does a write reach the database? Through one transaction that counts its statements.

use std::sync::Arc;

use domain::{JobId, Timestamp};
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{Executor as _, SqlSafeStr};
use store::Mint;
use uuid::Uuid;

use crate::clock::Clock;
use crate::compact::Surveys;
use crate::fault::Fault;
use crate::health::Health;
use crate::options::CallbackKind;
use crate::paces::Paces;
use crate::partition::Partitions;
use crate::planned::PlannedFailures;
use crate::retain::RetainedFrom;
use crate::server_run::ServerRun;

/// A statement with what is bound to it.
pub(crate) type Sql = Query<'static, Postgres, PgArguments>;

pub(crate) fn sql(text: impl SqlSafeStr) -> Sql {
    sqlx::query(text)
}

/// How jobs are named to statements: `$1` their ids, sorted, `$2` and `$3` the lowest and the highest, which is what keeps
/// plans away from partitions that hold none of them (queue-core, decision 5).
pub(crate) fn sql_of<'a>(text: &'static str, ids: impl IntoIterator<Item = &'a JobId>) -> Sql {
    let mut ids: Vec<Uuid> = ids.into_iter().map(|id| *id.as_uuid()).collect();
    ids.sort_unstable();
    ids.dedup();
    let (lowest, highest) = (ids.first().copied().unwrap_or_default(), ids.last().copied().unwrap_or_default());
    sql(text).bind(ids).bind(lowest).bind(highest)
}

/// What every transaction needs besides its connection.
pub(crate) struct Context {
    pub(crate) clock: Arc<Clock>,
    pub(crate) server: Arc<ServerRun>,
    pub(crate) mint: Mint,
    pub(crate) callback: Option<CallbackKind>,
    pub(crate) planned: PlannedFailures,
    pub(crate) paces: Paces,
    pub(crate) partitions: Partitions,
    pub(crate) retained_from: RetainedFrom,
    pub(crate) health: Health,
    pub(crate) surveys: Surveys,
}

/// The open transaction. Only a lane's writer makes one.
pub(crate) struct Tx<'c> {
    connection: &'c mut PgConnection,
    pub(crate) context: &'c Context,
    /// The store's time, read once per operation.
    pub(crate) now: Timestamp,
    statements: u32,
    /// One statement is a transaction of its own.
    is_single: bool,
}

impl<'c> Tx<'c> {
    pub(crate) async fn begin(connection: &'c mut PgConnection, context: &'c Context, is_single: bool) -> Result<Self, Fault> {
        if !is_single {
            connection.execute("begin").await?;
        }
        Ok(Self { connection, context, now: context.clock.now(), statements: 0, is_single })
    }

    /// The next operation of a group starts: its own time, its own count of statements.
    pub(crate) fn next_operation(&mut self) {
        self.now = self.context.clock.now();
        self.statements = 0;
    }

    /// What statements add to the database's time.
    pub(crate) fn shift(&self) -> i64 {
        self.context.clock.shift()
    }

    /// Executes and returns the number of rows touched.
    pub(crate) async fn execute(&mut self, statement: Sql) -> Result<u64, Fault> {
        self.count()?;
        Ok(self.connection.execute(statement).await?.rows_affected())
    }

    pub(crate) async fn rows(&mut self, statement: Sql) -> Result<Vec<PgRow>, Fault> {
        self.count()?;
        Ok(self.connection.fetch_all(statement).await?)
    }

    pub(crate) async fn row(&mut self, statement: Sql) -> Result<Option<PgRow>, Fault> {
        self.count()?;
        Ok(self.connection.fetch_optional(statement).await?)
    }

    /// For what is not one of our statements: it counts as one.
    pub(crate) fn connection(&mut self) -> Result<&mut PgConnection, Fault> {
        self.count()?;
        Ok(self.connection)
    }

    pub(crate) async fn commit(mut self) -> Result<(), Fault> {
        self.count()?;
        if !self.is_single {
            self.connection.execute("commit").await?;
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), Fault> {
        let number = self.statements;
        self.statements += 1;
        assert!(!self.context.planned.panics(), "a test planned this panic");
        // What a single statement has done cannot be undone any more.
        let may_fail = number == 0 || !self.is_single;
        if may_fail && self.context.planned.fails(number) { Err(Fault::Planned) } else { Ok(()) }
    }
}
