//! What went wrong inside a statement, and which of the port's errors is that?

use store::StoreError;

/// SQLite's primary result codes that mean something to callers.
pub(crate) mod code {
    pub(crate) const BUSY: i32 = 5;
    pub(crate) const LOCKED: i32 = 6;
    pub(crate) const READONLY: i32 = 8;
    pub(crate) const IOERR: i32 = 10;
    pub(crate) const CORRUPT: i32 = 11;
    pub(crate) const FULL: i32 = 13;
    pub(crate) const CANTOPEN: i32 = 14;
    pub(crate) const NOTADB: i32 = 26;
}

/// Why a transaction was given up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// A rule of the store that SQL could not state.
    #[error("{0}")]
    Rule(String),
    #[error("an operation panicked")]
    Panicked,
    #[error("a test planned this failure")]
    Planned,
    #[error("{0}")]
    Away(&'static str),
}

impl Fault {
    pub(crate) fn rule(sentence: impl Into<String>) -> Self {
        Self::Rule(sentence.into())
    }

    pub(crate) fn into_error(self, doing: &'static str) -> StoreError {
        let source: Box<dyn std::error::Error + Send + Sync> = Box::new(self);
        let fault = source.downcast_ref::<Self>();
        match fault.map_or(Blame::Store, Self::blame) {
            Blame::Moment => StoreError::Unavailable { doing, source },
            Blame::Space => StoreError::Full { doing, source },
            Blame::Store => StoreError::Broken { doing, source },
        }
    }

    pub(crate) fn is_lack_of_space(&self) -> bool {
        self.blame() == Blame::Space
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Rule(_) | Self::Panicked => Blame::Store,
            Self::Planned | Self::Away(_) => Blame::Moment,
            Self::Sql(error) => blame(error),
        }
    }
}

/// Whose fault it is, which is what callers can act on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Blame {
    Moment,
    Space,
    Store,
}

fn blame(error: &sqlx::Error) -> Blame {
    if storage_full(error) {
        return Blame::Space;
    }
    match (primary_code(error), error) {
        (Some(code::BUSY | code::LOCKED | code::IOERR | code::CANTOPEN), _) => Blame::Moment,
        (_, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_)) => Blame::Moment,
        _ => Blame::Store,
    }
}

/// No space left, as SQLite or the operating system says it.
pub(crate) fn storage_full(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(io) => io.kind() == std::io::ErrorKind::StorageFull,
        _ => primary_code(error) == Some(code::FULL),
    }
}

/// SQLite's primary result code, without the detail in the higher bits.
pub(crate) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{ConnectOptions as _, Executor as _};

    use super::*;

    async fn error_of(statements: &'static str) -> StoreError {
        let mut memory = SqliteConnectOptions::new().in_memory(true).connect().await.expect("connects");
        memory.execute("create table t (a integer check (a > 0), b blob); pragma max_page_count = 4").await.expect("makes a table");
        let error = memory.execute(statements).await.expect_err("must fail");
        Fault::from(error).into_error("testing")
    }

    #[tokio::test]
    async fn errors_say_what_callers_can_do() {
        let full = error_of("insert into t values (1, zeroblob(100000))").await;
        assert!(matches!(full, StoreError::Full { .. }), "{full:?}");
        let broken = error_of("insert into t values (0, null)").await;
        assert!(matches!(broken, StoreError::Broken { .. }), "{broken:?}");
        let no_space = sqlx::Error::Io(std::io::ErrorKind::StorageFull.into());
        assert!(matches!(Fault::from(no_space).into_error("testing"), StoreError::Full { .. }));
        assert!(matches!(Fault::from(sqlx::Error::PoolTimedOut).into_error("testing"), StoreError::Unavailable { .. }));
    }
}
