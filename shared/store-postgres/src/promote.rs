//! Which waiting jobs may be queued now: those whose time came, and those whose key was freed?

use std::collections::{BTreeMap, HashMap, HashSet};

use async_trait::async_trait;
use domain::{Class, Event, JobId, JobState, Timestamp, WaitingFor};
use store::{Promoted, Released, Until};

use crate::fault::Fault;
use crate::head::Head;
use crate::lane::{Lane, Write};
use crate::moves::{Applied, Move, Timer, apply, delete_timers};
use crate::row::{Columns, TimerKind, job_ids, worker_state};
use crate::tx::{Tx, sql, sql_of};

/// Queues what is due and expires what is late.
pub(crate) struct Promote {
    pub(crate) limit: usize,
}

#[async_trait]
impl Write for Promote {
    type Reply = Promoted;
    const DOING: &'static str = "promoting jobs";
    const LANE: Lane = Lane::Duties;

    fn rows(&self) -> usize {
        self.limit
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Promoted, Fault> {
        let due = due_timers(tx, self.limit).await?;
        let jobs: Vec<JobId> = due.iter().map(|(_, job, _)| *job).collect();
        let (heads, seen) = Head::read_free_or_shelve(tx, &jobs).await?;
        let heads: HashMap<JobId, Head> = heads.into_iter().map(|head| (head.id, head)).collect();
        let due = without_busy(tx, due, &seen).await?;
        let mut events: BTreeMap<usize, (Head, Event)> = BTreeMap::new();
        let mut decided: HashMap<JobId, usize> = HashMap::new();
        for (order, (at, job, what)) in due.iter().enumerate() {
            let Some(head) = heads.get(job) else { continue };
            let Some(event) = event_of(head, *at, *what, tx.now) else { continue };
            // Both timers of one job are due: the first has decided already, the same way.
            if !decided.contains_key(job) {
                decided.insert(*job, order);
                events.insert(order, (head.clone(), event));
            }
        }
        let moves = events.into_values().map(|(head, event)| Move::new(head, event)).collect::<Result<Vec<_>, _>>()?;
        delete_timers(tx, &due).await?;
        let applied = apply(tx, &moves, "duty:promote").await?;
        let count = |state| moves.iter().filter(|m| m.to() == state).count();
        let (promoted, expired) = (count(JobState::Queued), count(JobState::Expired));
        let next = tx.row(sql(include_str!("../queries/timer_next.sql"))).await?;
        let next_timer = next.map(|row| Columns::of(&row).maybe_time()).transpose()?.flatten();
        Ok(Promoted { promoted, expired, noise: due.len() - moves.len(), emissions: applied.emissions, next_timer })
    }
}

async fn due_timers(tx: &mut Tx<'_>, limit: usize) -> Result<Vec<Timer>, Fault> {
    let statement = sql(include_str!("../queries/timer_due.sql"));
    let rows = tx.rows(statement.bind(i64::try_from(limit).unwrap_or(i64::MAX)).bind(tx.shift())).await?;
    let mut due = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut c = Columns::of(row);
        let (at, job) = (c.time()?, c.job_id()?);
        due.push((at, job, if c.int()? == i64::from(TimerKind::Due as u8) { TimerKind::Due } else { TimerKind::Expire }));
    }
    Ok(due)
}

/// Timers of jobs that somebody else is busy with stay for the next pass; those of jobs that are gone do not.
async fn without_busy(tx: &mut Tx<'_>, due: Vec<Timer>, seen: &HashSet<JobId>) -> Result<Vec<Timer>, Fault> {
    let missing: Vec<JobId> = due.iter().map(|(_, job, _)| *job).filter(|job| !seen.contains(job)).collect();
    if missing.is_empty() {
        return Ok(due);
    }
    let busy = job_ids(&tx.rows(sql_of(include_str!("../queries/job_live_of.sql"), &missing)).await?)?;
    Ok(due.into_iter().filter(|(_, job, _)| !busy.contains(job)).collect())
}

/// What a timer means for its job as it is now; `None`: nothing, it was overtaken.
fn event_of(head: &Head, at: Timestamp, what: TimerKind, now: Timestamp) -> Option<Event> {
    let agrees = match what {
        TimerKind::Due => head.state == JobState::Waiting && head.run_at == at,
        TimerKind::Expire => head.start_before == Some(at) && !head.ever_started,
    };
    let event = if head.is_late(now) { Event::Expired } else { Event::Released };
    let sensible = what == TimerKind::Due || event == Event::Expired;
    Some(event).filter(|event| agrees && sensible && head.state.after(*event).is_some())
}

/// Frees parked jobs whose reason is gone.
pub(crate) struct Release {
    pub(crate) limit: usize,
}

#[async_trait]
impl Write for Release {
    type Reply = Released;
    const DOING: &'static str = "releasing parked jobs";
    const LANE: Lane = Lane::Duties;

    fn rows(&self) -> usize {
        self.limit
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Released, Fault> {
        let statement = sql(include_str!("../queries/parked_with_worker.sql"))
            .bind(tx.shift())
            .bind(i64::from(WaitingFor::NoWorker.code()))
            .bind(worker_state::LIVE)
            .bind(i64::try_from(self.limit).unwrap_or(i64::MAX));
        let ids = job_ids(&tx.rows(statement).await?)?;
        let (heads, _) = Head::read_free_or_shelve(tx, &ids).await?;
        let mut heads: HashMap<JobId, Head> = heads.into_iter().map(|head| (head.id, head)).collect();
        let mut moves = Vec::with_capacity(ids.len());
        for head in ids.iter().filter_map(|id| heads.remove(id)).filter(|head| head.state == JobState::Waiting) {
            let event = if head.is_late(tx.now) { Event::Expired } else { Event::Released };
            moves.push(Move::new(head, event)?);
        }
        let released = moves.iter().filter(|m| m.to() == JobState::Queued).count();
        let Applied { emissions, next_timer: _ } = apply(tx, &moves, "duty:release").await?;
        Ok(Released { released, emissions })
    }
}

/// Takes queued jobs of one class out of the queue before any claim.
pub(crate) struct Park {
    pub(crate) class: Class,
    pub(crate) jobs: Vec<JobId>,
    pub(crate) until: Until,
}

#[async_trait]
impl Write for Park {
    type Reply = usize;
    const DOING: &'static str = "parking jobs";
    const LANE: Lane = Lane::Ends;

    fn rows(&self) -> usize {
        self.jobs.len()
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<usize, Fault> {
        let statement = sql_of(include_str!("../queries/job_queued_of_class.sql"), &self.jobs)
            .bind(self.class.queue.to_string())
            .bind(i64::from(self.class.priority.code()));
        let ids = job_ids(&tx.rows(statement).await?)?;
        let heads = Head::read_or_shelve(tx, &ids).await?;
        let still_queued = heads.into_iter().filter(|head| head.state == JobState::Queued);
        let parked = still_queued.map(|head| Ok(Move::new(head, Event::Parked)?.waits(self.until.clone())));
        let moves = parked.collect::<Result<Vec<_>, Fault>>()?;
        apply(tx, &moves, "worker").await?;
        Ok(moves.len())
    }
}
