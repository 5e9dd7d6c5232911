//! Which waiting jobs may be queued now: those whose time came, and those whose key was freed?

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use domain::{Class, Event, JobId, JobState, Timestamp, WaitingFor};
use store::{Promoted, Released, Until};

use crate::fault::Fault;
use crate::head::Head;
use crate::moves::{Applied, Move, TimerKey, apply, delete_timers, timer_key};
use crate::row::{Columns, TimerKind, job_ids, job_list, worker_state};
use crate::tx::{Tx, sql};
use crate::write_queue::Write;

/// Queues what is due and expires what is late.
pub(crate) struct Promote {
    pub(crate) limit: usize,
}

#[async_trait]
impl Write for Promote {
    type Reply = Promoted;
    const DOING: &'static str = "promoting jobs";

    fn rows(&self) -> usize {
        self.limit
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Promoted, Fault> {
        let due = due_timers(tx, self.limit).await?;
        let jobs: Vec<JobId> = due.iter().map(|(_, job, _)| *job).collect();
        let heads = Head::read_or_shelve(tx, &jobs).await?;
        let heads: HashMap<JobId, Head> = heads.into_iter().map(|head| (head.id, head)).collect();
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
        let keys: Vec<TimerKey> = due.iter().map(|(at, job, what)| timer_key(*at, *job, *what)).collect();
        delete_timers(tx, &keys).await?;
        let applied = apply(tx, &moves, "duty:promote").await?;
        let count = |state| moves.iter().filter(|m| m.to() == state).count();
        let (promoted, expired) = (count(JobState::Queued), count(JobState::Expired));
        let next = tx.row(sql(include_str!("../queries/timer_next.sql"))).await?;
        let next_timer = next.map(|row| Columns::of(&row).maybe_time()).transpose()?.flatten();
        Ok(Promoted { promoted, expired, noise: due.len() - moves.len(), emissions: applied.emissions, next_timer })
    }
}

async fn due_timers(tx: &mut Tx<'_>, limit: usize) -> Result<Vec<(Timestamp, JobId, TimerKind)>, Fault> {
    let statement = sql(include_str!("../queries/timer_due.sql"));
    let rows = tx.rows(statement.bind(tx.now.micros()).bind(i64::try_from(limit).unwrap_or(i64::MAX))).await?;
    let mut due = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut c = Columns::of(row);
        let (at, job) = (c.time()?, c.job_id()?);
        due.push((at, job, if c.int()? == i64::from(TimerKind::Due as u8) { TimerKind::Due } else { TimerKind::Expire }));
    }
    Ok(due)
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

    fn rows(&self) -> usize {
        self.limit
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Released, Fault> {
        let statement = sql(include_str!("../queries/parked_with_worker.sql"))
            .bind(tx.steady.micros())
            .bind(i64::from(WaitingFor::NoWorker.code()))
            .bind(worker_state::LIVE)
            .bind(i64::try_from(self.limit).unwrap_or(i64::MAX));
        let ids = job_ids(&tx.rows(statement).await?)?;
        let heads = Head::read_or_shelve(tx, &ids).await?;
        let mut heads: HashMap<JobId, Head> = heads.into_iter().map(|head| (head.id, head)).collect();
        let mut moves = Vec::with_capacity(ids.len());
        for head in ids.iter().filter_map(|id| heads.remove(id)) {
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

    fn rows(&self) -> usize {
        self.jobs.len()
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<usize, Fault> {
        let statement = sql(include_str!("../queries/job_queued_of_class.sql"))
            .bind(job_list(&self.jobs))
            .bind(self.class.queue.to_string())
            .bind(i64::from(self.class.priority.code()));
        let ids = job_ids(&tx.rows(statement).await?)?;
        let heads = Head::read_or_shelve(tx, &ids).await?;
        let parked = heads.into_iter().map(|head| Ok(Move::new(head, Event::Parked)?.waits(self.until.clone())));
        let moves = parked.collect::<Result<Vec<_>, Fault>>()?;
        apply(tx, &moves, "worker").await?;
        Ok(moves.len())
    }
}
