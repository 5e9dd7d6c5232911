//! Why could the database not be opened, and what can a person do about it?

use sqlx::migrate::MigrateError;

use crate::fault::sqlstate;

/// The database could not be opened. Each variant is a sentence; [`OpenError::hint`] says what to do. None shows the URL: it may hold
/// a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database's address cannot be used")]
    Url,
    #[error("the database cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    #[error("the database did not answer within {0} s")]
    Late(u64),
    #[error("the database refused the login")]
    Refused(#[source] sqlx::Error),
    #[error("there is no such database on the server")]
    Missing(#[source] sqlx::Error),
    #[error("the database's schema has version {found}, this program needs {known}")]
    Older { found: i64, known: i64 },
    #[error("the database's schema has version {found}, this program knows up to {known}")]
    Newer { found: i64, known: i64 },
    #[error("the database holds tables of another program")]
    Foreign,
    #[error("the server is a standby, which takes no writes")]
    Standby,
    #[error("the database's role may only read")]
    ReadOnly,
    #[error("the server is PostgreSQL {found}, this program needs {needed} or newer")]
    ServerTooOld { found: String, needed: u32 },
    #[error("the database's role lacks a permission")]
    Permission(#[source] sqlx::Error),
    #[error("the database could not be brought up to date")]
    Migrate(#[source] MigrateError),
    #[error("the database could not be opened")]
    Other(#[source] sqlx::Error),
}

impl OpenError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Url => "write it as `postgres://user:password@host:5432/database`, with special characters percent-encoded",
            Self::Unreachable(_) | Self::Late(_) => {
                "check that the server runs and that host, port, TLS mode and firewall let this process in"
            }
            Self::Refused(_) => "check user and password in the address and the server's pg_hba.conf",
            Self::Missing(_) => "create it (`createdb NAME`), or correct the name at the end of the address",
            Self::Older { .. } => "run `flotilla migrate` once, then start the roles",
            Self::Newer { .. } => "run the newer version of the program, or restore a backup from before the upgrade",
            Self::Foreign => "give Flotilla a database, or a schema (`?options=-c search_path=flotilla`), of its own",
            Self::Standby => "name the primary in the address",
            Self::ReadOnly => {
                "let the role own the tables, and see that neither it nor the database is set to `default_transaction_read_only`"
            }
            Self::ServerTooOld { .. } => "upgrade the server",
            Self::Permission(_) => "let the role own the database, or grant it the right that the cause names",
            Self::Migrate(_) => "do not edit the schema by hand; restore a backup if an upgrade was interrupted",
            Self::Other(_) => "look at the cause, and at the server's log",
        }
    }

    /// Trying again later may help.
    pub fn is_of_the_moment(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Late(_))
    }

    pub(crate) fn of_sql(error: sqlx::Error) -> Self {
        match sqlstate(&error).as_deref() {
            Some("28000" | "28P01") => Self::Refused(error),
            Some("3D000") => Self::Missing(error),
            // Not allowed; no schema that it could use.
            Some("42501" | "3F000") => Self::Permission(error),
            Some(state) if ["08", "53", "57"].iter().any(|class| state.starts_with(class)) => Self::Unreachable(error),
            Some(_) => Self::Other(error),
            None => match error {
                sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => Self::Unreachable(error),
                other => Self::Other(other),
            },
        }
    }
}
