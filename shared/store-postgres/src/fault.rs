//! What went wrong inside a statement, and which of the port's errors is that?

use store::StoreError;

/// SQLSTATE codes and classes that mean something to callers (PostgreSQL manual, appendix A).
pub(crate) mod code {
    pub(crate) const CHECK_VIOLATION: &str = "23514";
    pub(crate) const SERIALIZATION_FAILURE: &str = "40001";
    pub(crate) const DEADLOCK_DETECTED: &str = "40P01";
    pub(crate) const LOCK_NOT_AVAILABLE: &str = "55P03";
    pub(crate) const QUERY_CANCELED: &str = "57014";
    pub(crate) const DISK_FULL: &str = "53100";
    pub(crate) const TOO_MANY_CONNECTIONS: &str = "53300";
    pub(crate) const READ_ONLY: &str = "25006";
    /// Connections (08), resources (53), an operator's doing such as a shutdown (57), the system itself (58).
    pub(crate) const CLASSES_OF_THE_MOMENT: [&str; 4] = ["08", "53", "57", "58"];
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
    #[error("the database found no space for the transaction")]
    NoSpace,
    /// Another process was faster: what was decided by what had been read does not hold any more.
    #[error("overtaken by another process")]
    Overtaken,
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

    /// Nothing was written, and the same may go through at once: two transactions were in each other's way.
    pub(crate) fn is_collision(&self) -> bool {
        match self {
            Self::Overtaken => true,
            Self::Sql(error) => {
                matches!(sqlstate(error).as_deref(), Some(code::SERIALIZATION_FAILURE | code::DEADLOCK_DETECTED))
            }
            Self::Rule(_) | Self::Panicked | Self::Planned | Self::Away(_) | Self::NoSpace => false,
        }
    }

    /// The connection may be of no use any more.
    pub(crate) fn is_of_the_connection(&self) -> bool {
        match self {
            Self::Sql(error) => match sqlstate(error) {
                // A server that is no primary any more keeps its clients; the address may lead to the new one.
                Some(state) => state == code::READ_ONLY || ["08", "57P"].iter().any(|class| state.starts_with(class)),
                None => true,
            },
            Self::Panicked | Self::Away(_) => true,
            Self::Rule(_) | Self::Planned | Self::Overtaken | Self::NoSpace => false,
        }
    }

    /// The operation itself is to blame, not who shares its transaction.
    pub(crate) fn is_of_an_operation(&self) -> bool {
        matches!(self, Self::Panicked)
    }

    /// The server or the network has ended the connection; it has not merely been silent for too long.
    pub(crate) fn is_a_broken_connection(&self) -> bool {
        matches!(self, Self::Sql(_)) && self.is_of_the_connection()
    }

    /// Somebody else held a lock for too long.
    pub(crate) fn is_a_lock_not_got(&self) -> bool {
        matches!(self, Self::Sql(error) if sqlstate(error).as_deref() == Some(code::LOCK_NOT_AVAILABLE))
    }

    /// The database's disk is full.
    pub(crate) fn is_for_want_of_space(&self) -> bool {
        match self {
            Self::Sql(error) => sqlstate(error).as_deref() == Some(code::DISK_FULL),
            Self::NoSpace => true,
            Self::Rule(_) | Self::Panicked | Self::Planned | Self::Away(_) | Self::Overtaken => false,
        }
    }

    /// The server takes no writes: a standby, or one that was made read-only.
    pub(crate) fn is_for_want_of_a_primary(&self) -> bool {
        matches!(self, Self::Sql(error) if sqlstate(error).as_deref() == Some(code::READ_ONLY))
    }

    /// There is no connection, or none that answers; the server may have no place for one more.
    pub(crate) fn is_for_want_of_a_connection(&self) -> bool {
        let is_crowded = |error: &sqlx::Error| sqlstate(error).as_deref() == Some(code::TOO_MANY_CONNECTIONS);
        match self {
            Self::Sql(error) => is_crowded(error) || self.is_of_the_connection(),
            Self::Away(_) => true,
            Self::Rule(_) | Self::Panicked | Self::Planned | Self::Overtaken | Self::NoSpace => false,
        }
    }

    /// A lock or a statement took too long: whoever is to blame, trying it again in halves takes as long once more.
    pub(crate) fn is_of_waiting(&self) -> bool {
        matches!(self, Self::Sql(error)
            if matches!(sqlstate(error).as_deref(), Some(code::LOCK_NOT_AVAILABLE | code::QUERY_CANCELED)))
    }

    /// A row has an id for which there is no partition.
    pub(crate) fn is_lack_of_partition(&self) -> bool {
        matches!(self, Self::Sql(error) if sqlstate(error).as_deref() == Some(code::CHECK_VIOLATION)
            && error.as_database_error().is_some_and(|error| error.constraint().is_none()))
    }

    /// What those are told who shared a transaction with the first, who learns it all.
    pub(crate) fn of_the_others(&self) -> Self {
        if self.is_for_want_of_space() { Self::NoSpace } else { Self::Away("the database could not take the transaction") }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Rule(_) | Self::Panicked => Blame::Store,
            Self::Planned | Self::Away(_) | Self::Overtaken => Blame::Moment,
            Self::NoSpace => Blame::Space,
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
    match sqlstate(error).as_deref() {
        Some(code::DISK_FULL) => Blame::Space,
        Some(code::SERIALIZATION_FAILURE | code::DEADLOCK_DETECTED | code::LOCK_NOT_AVAILABLE | code::QUERY_CANCELED | code::READ_ONLY) => {
            Blame::Moment
        }
        Some(state) if code::CLASSES_OF_THE_MOMENT.iter().any(|class| state.starts_with(class)) => Blame::Moment,
        Some(_) => Blame::Store,
        None => match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Blame::Moment,
            _ => Blame::Store,
        },
    }
}

pub(crate) fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_callers_can_do() {
        let io = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert!(Fault::from(io).is_of_the_connection());
        assert!(matches!(Fault::from(sqlx::Error::PoolTimedOut).into_error("testing"), StoreError::Unavailable { .. }));
        assert!(matches!(Fault::rule("no").into_error("testing"), StoreError::Broken { .. }));
        assert!(matches!(Fault::NoSpace.of_the_others().into_error("testing"), StoreError::Full { .. }));
        assert!(Fault::Overtaken.is_collision() && !Fault::Planned.is_collision());
    }
}
