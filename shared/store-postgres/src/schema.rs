//! Which tables does the database have, and how do they get there?

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::{Row as _, SqlSafeStr as _};

use crate::open_error::OpenError;
use crate::tx::sql;

/// Every migration, oldest first. Never edit one that was released: its checksum is in people's databases.
const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "core", include_str!("../../../migrations/postgres/0001_core.sql")),
    (2, "operations", include_str!("../../../migrations/postgres/0002_operations.sql")),
];

/// The schema's version after the last migration.
pub(crate) const KNOWN: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

fn migrator() -> Migrator {
    let migration = |(version, name, text): (i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.map(migration).into())
}

/// Brings the schema up to date under an advisory lock, so that any number may try; returns the version it had.
pub(crate) async fn migrate(connection: &mut PgConnection) -> Result<i64, OpenError> {
    let found = version(connection).await?;
    match migrator().run_direct(None, connection, false).await {
        Ok(()) => Ok(found),
        Err(MigrateError::VersionMissing(found)) => Err(OpenError::Newer { found, known: KNOWN }),
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => Err(OpenError::of_sql(error)),
        Err(source) => Err(OpenError::Migrate(source)),
    }
}

/// The version of the schema; 0: there is none. Refuses what is somebody else's: tables that we did not make, or migrations that are
/// not ours. A database, or a schema in it, is ours alone: only so can nobody's table be taken for one of ours.
pub(crate) async fn version(connection: &mut PgConnection) -> Result<i64, OpenError> {
    let found = sql(include_str!("../queries/schema_found.sql")).fetch_one(&mut *connection).await.map_err(OpenError::of_sql)?;
    let (begun, tables): (bool, i64) = (found.try_get(0).map_err(OpenError::of_sql)?, found.try_get(1).map_err(OpenError::of_sql)?);
    let (mut version, mut first) = (0, None);
    if begun {
        let row = sql(include_str!("../queries/schema_version.sql")).fetch_one(connection).await.map_err(OpenError::of_sql)?;
        version = row.try_get(0).map_err(OpenError::of_sql)?;
        first = row.try_get::<Option<String>, _>(1).map_err(OpenError::of_sql)?;
    }
    let is_ours = first.map_or(tables == 0, |first| first == MIGRATIONS[0].1);
    if is_ours { Ok(version) } else { Err(OpenError::Foreign) }
}

/// Refuses a schema that this program does not know, and one that it may not write to.
pub(crate) async fn check(connection: &mut PgConnection) -> Result<(), OpenError> {
    match version(connection).await? {
        found if found < KNOWN => return Err(OpenError::Older { found, known: KNOWN }),
        found if found > KNOWN => return Err(OpenError::Newer { found, known: KNOWN }),
        _ => {}
    }
    let row = sql(include_str!("../queries/schema_writable.sql")).fetch_one(connection).await.map_err(OpenError::of_sql)?;
    let flag = |at: usize| row.try_get::<bool, _>(at).map_err(OpenError::of_sql);
    match (flag(0)?, flag(1)? && flag(2)?) {
        (true, _) => Err(OpenError::Standby),
        (false, false) => Err(OpenError::ReadOnly),
        (false, true) => Ok(()),
    }
}
