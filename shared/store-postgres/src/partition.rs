//! Which partitions are there, and which are needed next? A partition holds the jobs of one span of time: ids are version 7 UUIDs, so
//! a range of ids is a span. What belongs to jobs is partitioned with them, by the same ranges.

use std::time::Duration;

use domain::Timestamp;
use domain::bounds::PARTITIONS_AHEAD;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use uuid::Uuid;

use crate::fault::Fault;
use crate::row::Columns;
use crate::tx::{Tx, sql};

/// The partitioned tables, and how full their pages are made. Jobs change in place; what belongs to them hardly does.
pub(crate) const TABLES: [Table; 4] = [
    Table { name: "job", key: "id", fill: 35 },
    Table { name: "job_event", key: "job_id", fill: 100 },
    Table { name: "job_log", key: "job_id", fill: 100 },
    Table { name: "effect", key: "job_id", fill: 80 },
];

/// A partitioned table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// The column that holds the job's id.
    pub(crate) key: &'static str,
    fill: u32,
}

/// One number for all who make partitions: "flotilla" in ASCII.
const LOCK: i64 = 0x666c_6f74_696c_6c61;
/// Held alone by who drops or compacts partitions, shared by all who make ended jobs live again or delete them.
pub(crate) const SPACE_LOCK: i64 = LOCK + 1;

/// Keeps others from compacting partitions for the rest of the transaction, unless somebody is at it; tells whether it does.
pub(crate) async fn try_share_space(tx: &mut Tx<'_>) -> Result<bool, Fault> {
    let shared = tx.row(sql(include_str!("../queries/space_try_share.sql")).bind(SPACE_LOCK)).await?;
    shared.map_or(Ok(false), |row| Columns::of(&row).flag())
}

/// How time is cut into partitions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Partitions {
    pub(crate) span: Duration,
}

/// One span: the number of microseconds since 1970 at which it begins, and at which it ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Span {
    /// `20261120`, or with hours and minutes when spans are shorter than days.
    pub(crate) fn name(self) -> String {
        let text = Timestamp::from_micros(self.from).to_string();
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let is_daily = self.from % 86_400_000_000 == 0 && self.to % 86_400_000_000 == 0;
        digits.chars().take(if is_daily { 8 } else { 14 }).collect()
    }
}

/// The lowest id that can be minted at `micros`.
pub(crate) fn lowest_id_at(micros: i64) -> Uuid {
    let millis = u64::try_from(micros / 1_000).unwrap_or(0).min((1 << 48) - 1);
    let mut id = [0; 16];
    id[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    Uuid::from_bytes(id)
}

impl Partitions {
    fn micros(self) -> i64 {
        i64::try_from(self.span.as_micros()).unwrap_or(i64::MAX).max(1_000)
    }

    /// The span that holds `at`.
    pub(crate) fn span_at(self, at: Timestamp) -> Span {
        let from = at.micros().div_euclid(self.micros()) * self.micros();
        Span { from, to: from + self.micros() }
    }

    /// From the one before the present one (ids of late callers) to those far enough ahead.
    pub(crate) fn wanted(self, now: Timestamp) -> Vec<Span> {
        let present = self.span_at(now);
        let ahead = i64::from(PARTITIONS_AHEAD);
        (-1..=ahead).map(|n| Span { from: present.from + n * self.micros(), to: present.to + n * self.micros() }).collect()
    }

    /// Makes those that are missing, in a transaction of its own; any number of processes may try. Returns how many spans were made.
    pub(crate) async fn make_ahead(self, connection: &mut PgConnection, now: Timestamp) -> Result<usize, Fault> {
        connection.execute("begin").await?;
        let made = self.ensure(connection, now).await;
        connection.execute(if made.is_ok() { "commit" } else { "rollback" }).await?;
        made
    }

    /// Like [`Partitions::make_ahead`], in the transaction that is open.
    pub(crate) async fn ensure(self, connection: &mut PgConnection, now: Timestamp) -> Result<usize, Fault> {
        let wanted = self.wanted(now);
        if self.missing(connection, &wanted).await?.is_empty() {
            return Ok(0);
        }
        sql(include_str!("../queries/partition_lock.sql")).bind(LOCK).execute(&mut *connection).await?;
        // Looked at again: another may have been faster.
        let missing = self.missing(connection, &wanted).await?;
        for span in &missing {
            let name = span.name();
            for table in TABLES {
                // Made by itself and attached: that lets everybody else go on, where `partition of` would stop them all.
                make_like(connection, table, &format!("{}_p{name}", table.name)).await?;
                attach(connection, table, &name, lowest_id_at(span.from), lowest_id_at(span.to)).await?;
            }
        }
        Ok(missing.len())
    }

    /// How many whole spans after the present one have partitions, without a gap.
    pub(crate) async fn ahead(self, connection: &mut PgConnection, now: Timestamp) -> Result<u32, Fault> {
        let wanted: Vec<Span> = self.wanted(now).into_iter().filter(|span| span.from > now.micros()).collect();
        let missing = self.missing(connection, &wanted).await?;
        let ahead = missing.first().map_or(wanted.len(), |gap| wanted.iter().take_while(|span| *span < gap).count());
        Ok(u32::try_from(ahead).unwrap_or(u32::MAX))
    }

    /// Those of the wanted spans that no partition of `job` covers.
    async fn missing(self, connection: &mut PgConnection, wanted: &[Span]) -> Result<Vec<Span>, Fault> {
        let there = existing(connection, "job").await?;
        let overlaps = |span: &Span| there.iter().any(|(_, low, high)| *low < lowest_id_at(span.to) && lowest_id_at(span.from) < *high);
        Ok(wanted.iter().copied().filter(|span| !overlaps(span)).collect())
    }
}

/// A table's partitions in the order of their ids: name, lowest id, first id after it.
pub(crate) async fn existing(connection: &mut PgConnection, table: &str) -> Result<Vec<(String, Uuid, Uuid)>, Fault> {
    let rows = sql(include_str!("../queries/partition_list.sql")).bind(table.to_owned()).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

/// Makes a table like a partition of `table`, that is none yet.
pub(crate) async fn make_like(connection: &mut PgConnection, table: Table, name: &str) -> Result<(), Fault> {
    let Table { name: like, fill, .. } = table;
    let make = format!(
        "create table {name} (like {like} including all excluding identity) with (fillfactor = {fill}, \
         autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_insert_scale_factor = 0.5)"
    );
    connection.execute(AssertSqlSafe(make)).await?;
    Ok(())
}

/// Makes the table of that span a partition.
pub(crate) async fn attach(connection: &mut PgConnection, table: Table, span: &str, low: Uuid, high: Uuid) -> Result<(), Fault> {
    let name = table.name;
    let attach = format!("alter table {name} attach partition {name}_p{span} for values from ('{low}') to ('{high}')");
    connection.execute(AssertSqlSafe(attach)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn spans_are_whole_and_named_by_their_beginning() {
        let partitions = Partitions { span: Duration::from_secs(86_400) };
        let now = Timestamp::from_micros(20_000 * DAY + 5);
        let wanted = partitions.wanted(now);
        assert_eq!(partitions.span_at(now), Span { from: 20_000 * DAY, to: 20_001 * DAY });
        assert_eq!((wanted.len(), wanted[0].to), (10, 20_000 * DAY), "one before, the present one, eight ahead");
        assert!(wanted.windows(2).all(|pair| pair[0].to == pair[1].from));
        assert_eq!(wanted[1].name(), "20241004");
        let hour = Partitions { span: Duration::from_secs(3_600) };
        assert_eq!(hour.span_at(now).name(), "20241004000000");
    }

    #[test]
    fn ids_fall_into_the_span_of_their_time() {
        let at = 20_000 * DAY;
        let id = Uuid::from_u128((u128::from(20_000 * 86_400_000_u64) << 80) | 0x7fff << 64);
        assert!(lowest_id_at(at) <= id && id < lowest_id_at(at + DAY));
        assert!(lowest_id_at(at - 1_000) < lowest_id_at(at));
        assert_eq!(lowest_id_at(-5), Uuid::nil());
    }
}
