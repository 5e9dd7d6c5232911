//! How many attempts end, minute by minute, and how long did they take?

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{JobState, Timestamp};
use sqlx::postgres::PgRow;
use store::Throughput;
use uuid::Uuid;

use crate::fault::Fault;
use crate::moves::Move;
use crate::row::{Columns, hex, to_json};
use crate::tx::{Sql, Tx, sql};

const MINUTE: i64 = 60_000_000;

/// Who counts what duties end: their rows are no worker's, so that a worker that is believed dead is not in their way.
pub(crate) const DUTIES: Uuid = Uuid::nil();

/// The minute that an end is counted in.
pub(crate) fn bucket(now: Timestamp) -> i64 {
    now.micros() - now.micros().rem_euclid(MINUTE)
}

/// Counts the attempts that these moves end: those that will be tried again, and those whose job died. Successes are counted by
/// the statement that records them; what was put off is no end.
pub(crate) async fn count_ends(tx: &mut Tx<'_>, writer: Uuid, moves: &[Move]) -> Result<(), Fault> {
    let mut counts: BTreeMap<(String, u8, String), (u64, u64)> = BTreeMap::new();
    for made in moves.iter().filter(|made| made.head.state == JobState::Running) {
        let head = &made.head;
        let (retried, dead) = (made.is_a_retry(), made.to() == JobState::Dead);
        if retried || dead {
            let class = (head.queue.to_string(), head.priority.code(), head.kind.to_string());
            let count = counts.entry(class).or_default();
            *count = (count.0 + u64::from(retried), count.1 + u64::from(dead));
        }
    }
    if counts.is_empty() {
        return Ok(());
    }
    let (bucket, writer) = (bucket(tx.now), hex(writer.as_bytes()));
    let row = |((queue, prio, kind), (retried, dead))| (bucket, queue, prio, kind, &writer, retried, dead);
    let rows: Vec<_> = counts.into_iter().map(row).collect();
    tx.execute(sql(include_str!("../queries/job_rate_add.sql")).bind(to_json(&rows)?)).await?;
    Ok(())
}

/// The figures of the minutes that began at `since` or later.
pub(crate) fn sums(since: Timestamp) -> Sql {
    sql(include_str!("../queries/job_rate_sum.sql")).bind(since.micros())
}

pub(crate) fn throughput(row: &PgRow) -> Result<Throughput, Fault> {
    let mut c = Columns::of(row);
    Ok(Throughput {
        minute: c.time()?,
        queue: c.parsed()?,
        priority: c.priority()?,
        kind: c.parsed()?,
        succeeded: c.number()?,
        retried: c.number()?,
        dead: c.number()?,
        run: Duration::from_micros(c.number()?),
        wait: Duration::from_micros(c.number()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_counts_in_the_minute_in_which_it_is() {
        for (now, minute) in [(0, 0), (59_999_999, 0), (60_000_000, 60_000_000), (-1, -60_000_000)] {
            assert_eq!(bucket(Timestamp::from_micros(now)), minute);
        }
    }
}
