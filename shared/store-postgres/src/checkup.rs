//! What should a person know of this database before trusting it with jobs?

use std::time::Duration;

use domain::Timestamp;
use domain::bounds::{EMISSION_RETRY_MAX, PARTITIONS_AHEAD_MIN};
use sqlx::postgres::PgRow;
use store::{Outstanding, Store as _, StoreError};
use uuid::Uuid;

use crate::PostgresStore;
use crate::clock::HOST_OFFSET_MAX;
use crate::fault::Fault;
use crate::row::Columns;
use crate::schema;
use crate::tx::sql;

/// What is older keeps dead rows from being cleared away.
const TRANSACTION_MAX: Duration = Duration::from_secs(300);
/// Connections that one process may need.
const CONNECTIONS_PER_PROCESS: i64 = 12;

/// What was found. [`Checkup::findings`] says what of it matters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkup {
    pub server_version: String,
    pub schema_found: i64,
    pub schema_known: i64,
    pub role: String,
    /// It is a standby, which takes no writes.
    pub in_recovery: bool,
    /// The role may make tables.
    pub can_create: bool,
    /// The role owns the tables, without which it can neither make partitions nor drop them.
    pub owns_tables: bool,
    /// The database's time minus the host's.
    pub clock_offset_ms: i64,
    pub partitions_ahead: u32,
    pub emissions: Outstanding,
    /// How long the oldest emission has waited for the broker's confirmation.
    pub oldest_unconfirmed: Option<Duration>,
    /// The age of the oldest transaction that is open in this database.
    pub oldest_transaction: Option<Duration>,
    pub fsync: bool,
    pub full_page_writes: bool,
    pub synchronous_commit: String,
    pub autovacuum: bool,
    pub max_wal_size: String,
    pub max_connections: i64,
    pub connections_used: i64,
    pub database_bytes: i64,
    /// The last write of this process found no space.
    pub short_of_space: bool,
}

/// How much something matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Good to know.
    Note,
    /// It works, but not as it should.
    Warning,
    /// It does not work, or jobs may get lost.
    Error,
}

/// Something that a person should know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    pub level: Level,
    pub what: String,
    /// What to do about it.
    pub mend: &'static str,
}

impl PostgresStore {
    /// Looks at the server, the schema, the role and the ledger. `host_now` is the time by this host's clock.
    pub async fn checkup(&self, host_now: Timestamp) -> Result<Checkup, StoreError> {
        const DOING: &str = "looking at the database";
        let now = self.now();
        let read = async {
            let mut connection = self.reader.acquire().await?;
            let row = sql(include_str!("../queries/checkup.sql")).fetch_one(&mut *connection).await?;
            let mut checkup = read(&row, now)?;
            checkup.schema_found = schema::version(&mut connection).await.map_err(|error| Fault::rule(error.to_string()))?;
            checkup.partitions_ahead = self.context.partitions.ahead(&mut connection, now).await?;
            connection.give_back();
            Ok(checkup)
        };
        let mut checkup = self.reader.within(DOING, read).await?;
        checkup.clock_offset_ms = (now.micros() - host_now.micros()) / 1_000;
        checkup.short_of_space = self.context.health.is_short_of_space();
        Ok(checkup)
    }
}

fn read(row: &PgRow, now: Timestamp) -> Result<Checkup, Fault> {
    let mut c = Columns::of(row);
    let mut checkup = Checkup {
        server_version: c.text()?,
        role: c.text()?,
        in_recovery: c.flag()?,
        can_create: c.flag()?,
        owns_tables: c.flag()?,
        fsync: c.flag()?,
        full_page_writes: c.flag()?,
        synchronous_commit: c.text()?,
        autovacuum: c.flag()?,
        max_wal_size: c.text()?,
        max_connections: c.int()?,
        connections_used: c.int()?,
        database_bytes: c.int()?,
        emissions: Outstanding { unconfirmed: c.number()?, confirmed: c.number()? },
        oldest_unconfirmed: None,
        oldest_transaction: None,
        schema_found: 0,
        schema_known: schema::KNOWN,
        clock_offset_ms: 0,
        partitions_ahead: 0,
        short_of_space: false,
    };
    let since = |id: [u8; 16]| now.since(minted_at(Uuid::from_bytes(id)));
    checkup.oldest_unconfirmed = c.maybe_bytes()?.map(since);
    checkup.oldest_transaction = c.maybe_time()?.map(|age| Duration::from_micros(u64::try_from(age.micros()).unwrap_or(0)));
    Ok(checkup)
}

/// The time in an id.
fn minted_at(id: Uuid) -> Timestamp {
    let millis = id.as_u128() >> 80;
    Timestamp::from_micros(i64::try_from(millis).unwrap_or(i64::MAX / 1_000).saturating_mul(1_000))
}

impl Checkup {
    /// Everything that a person should know, the worst first.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            self.of_the_server().into_iter().chain(self.of_the_role()).chain(self.of_the_work()).flatten().collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        findings
    }

    fn of_the_server(&self) -> [Option<Finding>; 7] {
        let Self { max_connections, connections_used, synchronous_commit, clock_offset_ms, .. } = self;
        let lazily = ["off", "local"].contains(&synchronous_commit.as_str());
        let few = max_connections - connections_used < CONNECTIONS_PER_PROCESS;
        [
            error(self.in_recovery, "the server is a standby, which takes no writes", "name the primary in the database's address"),
            error(!self.fsync, "`fsync` is off: a crash of the server's host may damage the database", "set `fsync = on`"),
            error(
                !self.full_page_writes,
                "`full_page_writes` is off: a crash of the server's host may damage the database",
                "set `full_page_writes = on`, unless the file system makes sure of it",
            ),
            warning(
                lazily,
                format!(
                    "`synchronous_commit` is {synchronous_commit}: jobs that were accepted may be lost when the server crashes or fails over"
                ),
                "set `synchronous_commit = on` for the role, or accept that loss",
            ),
            warning(!self.autovacuum, "autovacuum is off: tables grow without bound", "set `autovacuum = on` and `track_counts = on`"),
            warning(
                few,
                format!("{connections_used} of {max_connections} connections are in use"),
                "raise `max_connections`; each process needs up to twelve",
            ),
            error(
                u128::from(clock_offset_ms.unsigned_abs()) > HOST_OFFSET_MAX.as_millis(),
                format!("the database's clock and this host's are {} s apart", clock_offset_ms.abs() / 1_000),
                "synchronise the clocks of both hosts (NTP)",
            ),
        ]
    }

    fn of_the_role(&self) -> [Option<Finding>; 3] {
        let Self { role, schema_found, schema_known, .. } = self;
        [
            error(
                schema_found != schema_known,
                format!("the schema has version {schema_found}, this program needs {schema_known}"),
                "run `flotilla migrate` of the newest version that is in use",
            ),
            error(
                !self.owns_tables,
                format!("the role `{role}` does not own the tables and cannot make or drop their partitions"),
                "run the roles with the user that ran `flotilla migrate`, or make it a member of that one",
            ),
            error(
                !self.can_create,
                format!("the role `{role}` may not make tables, which partitions are"),
                "grant it `create` on the schema",
            ),
        ]
    }

    fn of_the_work(&self) -> [Option<Finding>; 6] {
        let (ahead, waited) = (self.partitions_ahead, self.oldest_unconfirmed.unwrap_or_default());
        let open = self.oldest_transaction.unwrap_or_default();
        [
            error(
                ahead == 0,
                "no partition of the job table exists ahead of time: soon no job can be recorded",
                "start a scheduler, or run `flotilla migrate`",
            ),
            warning(
                (1..PARTITIONS_AHEAD_MIN).contains(&ahead),
                format!("only {ahead} partitions of the job table exist ahead of time"),
                "make sure that a scheduler is running",
            ),
            warning(
                waited > 2 * EMISSION_RETRY_MAX,
                format!("{} messages wait for the broker, the oldest for {} s", self.emissions.unconfirmed, waited.as_secs()),
                "check that the broker takes messages and that a scheduler is running",
            ),
            warning(
                open > TRANSACTION_MAX,
                format!("a transaction has been open for {} s: dead rows cannot be cleared away", open.as_secs()),
                "find it in `pg_stat_activity` and end it",
            ),
            error(self.short_of_space, "the last write found no space on the database's disk", "make room on it, or give it a larger one"),
            note(format!(
                "PostgreSQL {}, {} MiB, {} of {} connections, `max_wal_size` {}",
                self.server_version,
                self.database_bytes / 1_048_576,
                self.connections_used,
                self.max_connections,
                self.max_wal_size
            )),
        ]
    }
}

fn error(is: bool, what: impl Into<String>, mend: &'static str) -> Option<Finding> {
    is.then(|| Finding { level: Level::Error, what: what.into(), mend })
}

fn warning(is: bool, what: impl Into<String>, mend: &'static str) -> Option<Finding> {
    is.then(|| Finding { level: Level::Warning, what: what.into(), mend })
}

fn note(what: String) -> Option<Finding> {
    Some(Finding { level: Level::Note, what, mend: "nothing" })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Trouble = fn(&mut Checkup);

    fn well() -> Checkup {
        Checkup {
            server_version: "15.18".to_owned(),
            schema_found: schema::KNOWN,
            schema_known: schema::KNOWN,
            role: "flotilla".to_owned(),
            in_recovery: false,
            can_create: true,
            owns_tables: true,
            clock_offset_ms: -20,
            partitions_ahead: 8,
            emissions: Outstanding { unconfirmed: 5, confirmed: 7 },
            oldest_unconfirmed: Some(Duration::from_secs(1)),
            oldest_transaction: None,
            fsync: true,
            full_page_writes: true,
            synchronous_commit: "on".to_owned(),
            autovacuum: true,
            max_wal_size: "1GB".to_owned(),
            max_connections: 100,
            connections_used: 20,
            database_bytes: 50 << 20,
            short_of_space: false,
        }
    }

    #[test]
    fn a_well_database_has_nothing_but_a_note() {
        let findings = well().findings();
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].level, findings[0].what.contains("50 MiB")), (Level::Note, true));
    }

    #[test]
    fn each_trouble_is_found_and_the_worst_comes_first() {
        let troubled: [(Trouble, Level, &str); 14] = [
            (|c| c.in_recovery = true, Level::Error, "standby"),
            (|c| c.fsync = false, Level::Error, "fsync"),
            (|c| c.full_page_writes = false, Level::Error, "full_page_writes"),
            (|c| c.synchronous_commit = "off".to_owned(), Level::Warning, "synchronous_commit"),
            (|c| c.autovacuum = false, Level::Warning, "autovacuum"),
            (|c| c.connections_used = 95, Level::Warning, "95 of 100"),
            (|c| c.clock_offset_ms = -3_600_000, Level::Error, "3600 s apart"),
            (|c| c.schema_found = 0, Level::Error, "version 0"),
            (|c| c.owns_tables = false, Level::Error, "own"),
            (|c| c.can_create = false, Level::Error, "may not make"),
            (|c| c.partitions_ahead = 0, Level::Error, "no partition"),
            (|c| c.partitions_ahead = 2, Level::Warning, "only 2"),
            (|c| c.oldest_unconfirmed = Some(Duration::from_secs(500)), Level::Warning, "500 s"),
            (|c| c.oldest_transaction = Some(Duration::from_secs(900)), Level::Warning, "900 s"),
        ];
        let mut all = well();
        for (trouble, level, word) in troubled {
            let mut checkup = well();
            trouble(&mut checkup);
            let findings = checkup.findings();
            assert_eq!(findings.len(), 2, "{word}: {findings:#?}");
            assert_eq!((findings[0].level, findings[0].what.contains(word)), (level, true), "{findings:#?}");
            assert!(!findings[0].mend.is_empty());
            trouble(&mut all);
        }
        let levels: Vec<Level> = all.findings().iter().map(|finding| finding.level).collect();
        assert!(levels.is_sorted_by(|a, b| a >= b) && levels.len() > 10, "{levels:?}");
    }
}
