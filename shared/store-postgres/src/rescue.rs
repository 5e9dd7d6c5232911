//! Who died, and what becomes of the jobs they ran?

use std::collections::HashMap;

use async_trait::async_trait;
use domain::bounds::{CRASH_BACKOFF, CRASHES_MAX};
use domain::{Event, Failure, JobId, JobState, Run, WorkerId};
use sqlx::postgres::PgRow;
use store::Rescued;

use crate::fault::Fault;
use crate::head::Head;
use crate::lane::{Lane, Write};
use crate::moves::{Move, apply};
use crate::rate;
use crate::row::{Columns, worker_state};
use crate::settle::retry_at;
use crate::tx::{Tx, sql};

/// Gives back what dead workers run.
pub(crate) struct Rescue {
    pub(crate) limit: usize,
}

#[async_trait]
impl Write for Rescue {
    type Reply = Rescued;
    const DOING: &'static str = "rescuing jobs";
    const LANE: Lane = Lane::Duties;

    fn rows(&self) -> usize {
        self.limit
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Rescued, Fault> {
        if tx.context.server.is_new() {
            return Ok(Rescued::default());
        }
        let statement = sql(include_str!("../queries/worker_bury_expired.sql")).bind(worker_state::DEAD).bind(tx.shift());
        let mut workers = Vec::new();
        for row in tx.rows(statement).await? {
            workers.push(WorkerId::from_bytes(Columns::of(&row).bytes()?));
        }
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let rows = tx.rows(sql(include_str!("../queries/job_of_dead_workers.sql")).bind(limit)).await?;
        let seen = rows.iter().map(seen).collect::<Result<HashMap<_, _>, _>>()?;
        let ids: Vec<JobId> = seen.keys().copied().collect();
        let (heads, _) = Head::read_free_or_shelve(tx, &ids).await?;
        // Some may have ended since, or run again by now, under somebody who lives.
        let moves = heads
            .into_iter()
            .filter(|head| head.state == JobState::Running && seen.get(&head.id) == Some(&head.run))
            .map(|head| give_back(head, tx.now))
            .collect::<Result<Vec<_>, _>>()?;
        let count = |state| moves.iter().filter(|m| m.to() == state).count();
        let (retried, dead, cancelled) = (count(JobState::Waiting), count(JobState::Dead), count(JobState::Cancelled));
        rate::count_ends(tx, rate::DUTIES, &moves).await?;
        let applied = apply(tx, &moves, "duty:rescue").await?;
        if rows.is_empty() {
            tx.execute(sql(include_str!("../queries/claim_forget_dead.sql"))).await?;
        }
        Ok(Rescued { workers, retried, dead, cancelled, emissions: applied.emissions })
    }
}

/// Which job was running under a dead worker, and at which run.
fn seen(row: &PgRow) -> Result<(JobId, Run), Fault> {
    let mut c = Columns::of(row);
    Ok((c.job_id()?, c.number()?))
}

fn give_back(head: Head, now: domain::Timestamp) -> Result<Move, Fault> {
    let crashes = head.crashes.saturating_add(1);
    let last = crashes >= CRASHES_MAX || head.attempt >= head.max_attempts;
    let moved = if head.cancel_requested {
        Move::new(head, Event::CancelHonoured)?
    } else if last {
        Move::new(head, Event::LeaseLostForGood)?
    } else {
        Move::new(head, Event::LeaseLost)?.waits(retry_at(now + CRASH_BACKOFF * u32::from(crashes)))
    };
    Ok(moved.crashed().failed(Some(worker_lost())))
}

fn worker_lost() -> Failure {
    Failure::transient("worker_lost", "the worker that ran it died or lost its lease")
        .with_hint("look for crashes, memory limits or hangs on that worker's host")
}
