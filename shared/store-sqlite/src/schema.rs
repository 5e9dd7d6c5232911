//! Which tables does the database have, and how do they get there?

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _, SqlSafeStr as _};

use std::path::Path;

use crate::open_error::OpenError;
use crate::tx::sql;

/// "FLOT", as the first migration sets it.
const APPLICATION_ID: i64 = 0x464c_4f54;

/// Every migration, oldest first. Never edit one that was released: its checksum is in people's databases.
const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "core", include_str!("../../../migrations/sqlite/0001_core.sql")),
    (2, "operations", include_str!("../../../migrations/sqlite/0002_operations.sql")),
];

fn migrator() -> Migrator {
    let migration = |(version, name, text): (i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.map(migration).into())
}

/// Brings the schema up to date; refuses what is not ours and what is newer than we are.
pub(crate) async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    refuse_foreign(connection, path).await?;
    let known = MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0);
    match migrator().run_direct(None, connection, false).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) => Err(OpenError::Newer { path: path.to_owned(), found, known }),
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => Err(OpenError::of_sql(error, path)),
        Err(source) => Err(OpenError::Migrate { path: path.to_owned(), source }),
    }
}

async fn refuse_foreign(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let found = connection
        .transaction(|tx| {
            Box::pin(async move {
                let row = sql(include_str!("../queries/file_identity.sql")).fetch_one(&mut **tx).await?;
                Ok::<(i64, i64), sqlx::Error>((row.try_get(0)?, row.try_get(1)?))
            })
        })
        .await;
    let (application, tables) = found.map_err(|error| OpenError::of_sql(error, path))?;
    if tables > 0 && application != APPLICATION_ID { Err(OpenError::Foreign { path: path.to_owned() }) } else { Ok(()) }
}
