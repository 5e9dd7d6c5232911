//! Why could the database not be opened, and what can a person do about it?

use std::io;
use std::path::{Path, PathBuf};

use crate::fault::{code, primary_code, storage_full};
use crate::lock::Holder;

/// The database could not be opened. Each variant is a sentence; [`OpenError::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database `{}` is in use by another process{}", .path.display(), in_words(.holder.as_ref()))]
    Held { path: PathBuf, holder: Option<Holder> },
    #[error("the database `{}` has schema version {found}, this program knows up to {known}", .path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("the database `{}` is damaged: {detail}", .path.display())]
    Corrupt { path: PathBuf, detail: String },
    #[error("`{}` is not a database of this program", .path.display())]
    Foreign { path: PathBuf },
    #[error("the database `{}` is locked by another program", .path.display())]
    Locked { path: PathBuf },
    #[error("there is no directory for the database `{}`", .path.display())]
    DirectoryMissing { path: PathBuf },
    #[error("`{}` cannot be written", .path.display())]
    NotWritable {
        path: PathBuf,
        #[source]
        source: Option<io::Error>,
    },
    #[error("no space is left for the database `{}`", .path.display())]
    Full { path: PathBuf },
    #[error("the database `{}` could not be brought up to date", .path.display())]
    Migrate {
        path: PathBuf,
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    #[error("the database `{}` could not be opened", .path.display())]
    Other {
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn in_words(holder: Option<&Holder>) -> String {
    match holder {
        Some(Holder { pid, note }) if note.is_empty() => format!(" (pid {pid})"),
        Some(Holder { pid, note }) => format!(" (pid {pid}, {note})"),
        None => String::new(),
    }
}

impl OpenError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Held { .. } => "stop that process, talk to it through its API, or choose another database file",
            Self::Newer { .. } => "run the newer version of the program that wrote it, or restore a backup from before the upgrade",
            Self::Corrupt { .. } => "restore a backup, or move the file away to start with an empty database",
            Self::Foreign { .. } => "point the database setting at another file",
            Self::Locked { .. } => "close the other program that has the file open, such as a `sqlite3` shell",
            Self::DirectoryMissing { .. } => "create the directory, or choose another database file",
            Self::NotWritable { .. } => {
                "give this user write permission for the file and its directory, and check that the disk is not read-only"
            }
            Self::Full { .. } => "free some space on that disk and start again",
            Self::Migrate { .. } => "restore the backup from before the upgrade, or report this with the message below",
            Self::Other { .. } => "check the path and the disk it is on",
        }
    }

    pub(crate) fn of_io(error: io::Error, path: &Path) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::DirectoryMissing { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::IsADirectory => {
                Self::NotWritable { path, source: Some(error) }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Other { path, source: Box::new(error) },
        }
    }

    pub(crate) fn of_sql(error: sqlx::Error, path: &Path) -> Self {
        let path = path.to_owned();
        if storage_full(&error) {
            return Self::Full { path };
        }
        match primary_code(&error) {
            Some(code::CORRUPT | code::NOTADB) => Self::Corrupt { path, detail: message(&error) },
            Some(code::BUSY | code::LOCKED) => Self::Locked { path },
            Some(code::READONLY | code::CANTOPEN) => Self::NotWritable { path, source: None },
            _ => Self::Other { path, source: Box::new(error) },
        }
    }
}

fn message(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |database| database.message().to_owned())
}
