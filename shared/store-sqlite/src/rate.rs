//! How much gets done? Attempts that ended, counted by the minute in the transaction that ends them.

use std::collections::BTreeMap;

use domain::{JobState, Priority, Timestamp, WaitingFor};
use sqlx::sqlite::SqliteRow;
use store::Throughput;

use crate::fault::Fault;
use crate::moves::Move;
use crate::row::{Columns, to_json};
use crate::tx::{Tx, sql};

const MINUTE_MICROS: i64 = 60_000_000;

/// One kind in one class.
type Line = (String, Priority, String);

#[derive(Default)]
struct Counts {
    succeeded: u64,
    retried: u64,
    dead: u64,
    run_us: u64,
    wait_us: u64,
}

/// What one operation adds to the figures of this minute.
#[derive(Default)]
pub(crate) struct Rates(BTreeMap<Line, Counts>);

impl Rates {
    /// Counts a success, from the last columns of `job_succeed`.
    pub(crate) fn succeeded(&mut self, c: &mut Columns<'_>) -> Result<(), Fault> {
        let counts = self.0.entry((c.text()?, c.priority()?, c.text()?)).or_default();
        counts.succeeded += 1;
        counts.run_us = counts.run_us.saturating_add(c.number()?);
        counts.wait_us = counts.wait_us.saturating_add(c.number()?);
        Ok(())
    }

    fn of(&mut self, m: &Move) -> &mut Counts {
        self.0.entry((m.head.queue.to_string(), m.head.priority, m.head.kind.to_string())).or_default()
    }

    pub(crate) async fn add(self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        if self.0.is_empty() {
            return Ok(());
        }
        let bucket = tx.now.micros() - tx.now.micros().rem_euclid(MINUTE_MICROS);
        let row = |((queue, priority, kind), c): (Line, Counts)| {
            (bucket, queue, priority.code(), kind, c.succeeded, c.retried, c.dead, c.run_us, c.wait_us)
        };
        let rows: Vec<_> = self.0.into_iter().map(row).collect();
        tx.execute(sql(include_str!("../queries/job_rate_add.sql")).bind(to_json(&rows)?)).await?;
        Ok(())
    }
}

/// Counts the attempts that these transitions end in failure. What was put off is none: nothing was tried, or nothing failed.
pub(crate) async fn count_failed(tx: &mut Tx<'_>, moves: &[Move]) -> Result<(), Fault> {
    let mut rates = Rates::default();
    for m in moves.iter().filter(|m| m.head.state == JobState::Running) {
        match m.to() {
            JobState::Dead => rates.of(m).dead += 1,
            JobState::Waiting if m.waiting_for() == Some(WaitingFor::Retry) => rates.of(m).retried += 1,
            JobState::Waiting | JobState::Queued | JobState::Running | JobState::Succeeded | JobState::Cancelled | JobState::Expired => {}
        }
    }
    rates.add(tx).await
}

pub(crate) const RATE_LIST: &str = include_str!("../queries/job_rate_list.sql");

pub(crate) fn throughput(row: &SqliteRow) -> Result<Throughput, Fault> {
    let mut c = Columns::of(row);
    Ok(Throughput {
        minute: Timestamp::from_micros(c.int()?),
        queue: c.parsed()?,
        priority: c.priority()?,
        kind: c.parsed()?,
        succeeded: c.number()?,
        retried: c.number()?,
        dead: c.number()?,
        run: std::time::Duration::from_micros(c.number()?),
        wait: std::time::Duration::from_micros(c.number()?),
    })
}
