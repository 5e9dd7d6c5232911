//! How does a job get from one state to the next, with everything that belongs to it?
//!
//! Every transition but submission, claim and plain success goes through [`apply`]: it asks [`JobState::after`] where
//! the event leads, writes the job, its timer or parking place, its dead letter and its timeline, and does what an end
//! needs. Nothing else writes those tables, so that they cannot disagree.

use std::collections::HashMap;

use domain::bounds::FREE_DEFERRALS_MAX;
use domain::{EmissionId, Event, Failure, JobId, JobState, Progress, Run, Timestamp, WaitingFor};
use serde::Serialize;
use store::Until;

use crate::event::{JobEvent, insert_events};
use crate::fault::Fault;
use crate::head::Head;
use crate::row::{TimerKind, clean, hex, to_json};
use crate::tx::{Sql, Tx, sql, sql_of};
use crate::{dead_letter, emission, ends};

/// Moves in one statement, which may compare each with each.
const MOVES_AT_ONCE: usize = 64;

/// One transition to be made.
pub(crate) struct Move {
    pub(crate) head: Head,
    to: JobState,
    wait: Option<Until>,
    pub(crate) attempt: u16,
    crashes: u16,
    ever_started: bool,
    pub(crate) failure: Option<Failure>,
    progress: Option<Progress>,
    data: Option<String>,
    /// When it is due by an operator's word.
    set_to: Option<Timestamp>,
}

impl Move {
    /// The transition that `event` makes. A fault when the event does not apply: callers check that first.
    pub(crate) fn new(head: Head, event: Event) -> Result<Self, Fault> {
        let to = head.state.after(event).ok_or_else(|| Fault::rule(format!("a {} job cannot take {event:?}", head.state)))?;
        let (attempt, crashes) = (head.attempt, head.crashes);
        let ever_started = head.ever_started || head.state == JobState::Running;
        Ok(Self { head, to, wait: None, attempt, crashes, ever_started, failure: None, progress: None, data: None, set_to: None })
    }

    /// A running job waits again and gets its attempt back, never its run. When that happened too often it costs the
    /// attempt, and without another one the job: what can never be done must not go round for ever at no cost.
    pub(crate) fn put_off(head: Head, until: Until) -> Result<Self, Fault> {
        let free = head.free_deferrals() < FREE_DEFERRALS_MAX;
        if !free && head.attempt >= head.max_attempts {
            return Ok(Self::new(head, Event::FailedForGood)?.failed(Some(deferred_too_often())));
        }
        let mut put_off = Self::new(head, Event::Deferred)?;
        put_off.attempt = put_off.attempt.saturating_sub(u16::from(free));
        put_off.wait = Some(until);
        Ok(put_off)
    }

    /// No handler has seen this run of it.
    pub(crate) fn unseen(mut self) -> Self {
        self.ever_started = self.head.ever_started;
        self
    }

    pub(crate) fn waits(mut self, until: Until) -> Self {
        self.wait = Some(until);
        self
    }

    pub(crate) fn crashed(mut self) -> Self {
        self.crashes = self.crashes.saturating_add(1);
        self
    }

    /// A failure that is known already stays.
    pub(crate) fn failed(mut self, failure: Option<Failure>) -> Self {
        self.failure = self.failure.or(failure);
        self
    }

    pub(crate) fn came_so_far(mut self, progress: Option<Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// Details for the timeline, as JSON text; without them the failure is shown.
    pub(crate) fn because(mut self, data: Option<String>) -> Self {
        self.data = data;
        self
    }

    /// It is due at this time, because an operator says so.
    pub(crate) fn set_to(mut self, at: Timestamp) -> Self {
        self.set_to = Some(at);
        self
    }

    pub(crate) fn to(&self) -> JobState {
        self.to
    }

    /// The attempt failed, and another is due.
    pub(crate) fn is_a_retry(&self) -> bool {
        self.waiting_for() == Some(WaitingFor::Retry)
    }

    fn waiting_for(&self) -> Option<WaitingFor> {
        self.wait.as_ref().map(|until| match until {
            Until::Time { reason, .. } | Until::Freed { reason, .. } => *reason,
        })
    }

    fn due_at(&self) -> Option<Timestamp> {
        match &self.wait {
            Some(Until::Time { at, .. }) => Some(*at),
            Some(Until::Freed { .. }) | None => None,
        }
    }

    /// When it expires, if its run made that timer noise and it still can.
    fn expires_again(&self) -> Option<Timestamp> {
        let can = self.to == JobState::Waiting && self.head.state == JobState::Running && !self.ever_started;
        self.head.start_before.filter(|_| can)
    }
}

fn deferred_too_often() -> Failure {
    Failure::permanent("deferred_too_often", "it was handed back or put off too often without getting anywhere")
        .with_hint("look in its timeline for what put it off, and retry it when that is mended")
}

/// What a batch of transitions led to.
#[derive(Default)]
pub(crate) struct Applied {
    pub(crate) emissions: Vec<domain::Emission>,
    /// The earliest timer that was set.
    pub(crate) next_timer: Option<Timestamp>,
}

/// Makes these transitions, each of another job.
pub(crate) async fn apply(tx: &mut Tx<'_>, moves: &[Move], actor: &str) -> Result<Applied, Fault> {
    if moves.is_empty() {
        return Ok(Applied::default());
    }
    let queued: Vec<_> =
        moves.iter().filter(|m| m.to == JobState::Queued).map(|m| (m.head.queue.clone(), m.head.priority, m.head.id)).collect();
    let mut emissions = emission::pack(&queued, tx.context, tx.now);
    write_jobs(tx, moves, &emission::listed(&emissions)).await?;
    emission::record(tx, &emissions).await?;
    leave_waiting(tx, moves).await?;
    enter_waiting(tx, moves).await?;
    dead_letter::write(tx, moves).await?;
    write_events(tx, moves, actor).await?;
    let ended: Vec<&Head> = moves.iter().filter(|m| m.to.is_terminal()).map(|m| &m.head).collect();
    let with = |wanted: fn(&Head) -> bool| ended.iter().filter(|head| wanted(head)).map(|head| head.id).collect::<Vec<_>>();
    emissions.extend(ends::ended(tx, &with(|head| head.unique_key.is_some()), &with(|head| head.has_callback)).await?);
    Ok(Applied { emissions, next_timer: moves.iter().flat_map(|m| [m.due_at(), m.expires_again()]).flatten().min() })
}

#[derive(Serialize)]
struct MoveRow {
    id: String,
    run: Run,
    from_state: u8,
    to_state: u8,
    waiting_for: Option<u8>,
    run_at: Option<i64>,
    due_at: Option<i64>,
    attempt: u16,
    crashes: u16,
    ever_started: bool,
    finished_at: Option<i64>,
    error: Option<String>,
    progress: Option<String>,
    emission_id: Option<String>,
}

async fn write_jobs(tx: &mut Tx<'_>, moves: &[Move], listed: &HashMap<JobId, EmissionId>) -> Result<(), Fault> {
    let mut rows = Vec::with_capacity(moves.len());
    for m in moves {
        let waits = m.to == JobState::Waiting;
        if waits != m.wait.is_some() {
            return Err(Fault::rule(format!("a job that becomes {} must know what it waits for, and no other", m.to)));
        }
        rows.push(MoveRow {
            id: hex(m.head.id.as_bytes()),
            run: m.head.run,
            from_state: m.head.state.code(),
            to_state: m.to.code(),
            waiting_for: m.waiting_for().map(WaitingFor::code),
            run_at: m.set_to.or(m.due_at()).map(Timestamp::micros),
            // Policy counts from its first time; before its first claim that is yet to come.
            due_at: m.set_to.filter(|_| m.head.is_unclaimed()).map(Timestamp::micros),
            attempt: m.attempt,
            crashes: m.crashes,
            ever_started: m.ever_started,
            finished_at: m.to.is_terminal().then(|| tx.now.micros()),
            error: m.failure.as_ref().map(to_json).transpose()?,
            progress: m.progress.as_ref().map(to_json).transpose()?,
            emission_id: listed.get(&m.head.id).map(|emission| hex(emission.as_bytes())),
        });
    }
    let mut moved = 0;
    for (rows, moves) in rows.chunks(MOVES_AT_ONCE).zip(moves.chunks(MOVES_AT_ONCE)) {
        let statement = sql_of(include_str!("../queries/job_move.sql"), moves.iter().map(|m| &m.head.id));
        moved += tx.execute(statement.bind(to_json(rows)?)).await?;
    }
    if moved == moves.len() as u64 { Ok(()) } else { Err(Fault::rule(format!("{moved} of {} jobs moved", moves.len()))) }
}

/// A job that waits no longer keeps neither timer nor parking place.
async fn leave_waiting(tx: &mut Tx<'_>, moves: &[Move]) -> Result<(), Fault> {
    let left: Vec<&Head> = moves.iter().filter(|m| m.head.state == JobState::Waiting).map(|m| &m.head).collect();
    if left.is_empty() {
        return Ok(());
    }
    let timers: Vec<_> = left.iter().map(|head| (head.run_at, head.id, TimerKind::Due)).collect();
    delete_timers(tx, &timers).await?;
    leave_parking(tx, left.iter().map(|head| &head.id)).await
}

/// Takes jobs out of their parking places.
pub(crate) async fn leave_parking<'a>(tx: &mut Tx<'_>, ids: impl IntoIterator<Item = &'a JobId>) -> Result<(), Fault> {
    tx.execute(sql_of(include_str!("../queries/parked_delete.sql"), ids)).await?;
    Ok(())
}

/// When, of which job, what for.
pub(crate) type Timer = (Timestamp, JobId, TimerKind);

pub(crate) async fn delete_timers(tx: &mut Tx<'_>, timers: &[Timer]) -> Result<(), Fault> {
    if !timers.is_empty() {
        tx.execute(bind_timers(sql(include_str!("../queries/timer_delete.sql")), timers)).await?;
    }
    Ok(())
}

pub(crate) async fn insert_timers(tx: &mut Tx<'_>, timers: &[Timer]) -> Result<(), Fault> {
    if !timers.is_empty() {
        tx.execute(bind_timers(sql(include_str!("../queries/timer_insert.sql")), timers)).await?;
    }
    Ok(())
}

pub(crate) fn bind_timers(statement: Sql, timers: &[Timer]) -> Sql {
    statement
        .bind(timers.iter().map(|(at, ..)| at.micros()).collect::<Vec<_>>())
        .bind(timers.iter().map(|(_, job, _)| *job.as_uuid()).collect::<Vec<_>>())
        .bind(timers.iter().map(|(.., what)| *what as i16).collect::<Vec<_>>())
}

async fn enter_waiting(tx: &mut Tx<'_>, moves: &[Move]) -> Result<(), Fault> {
    let mut timers = Vec::new();
    let mut parked = Vec::new();
    for m in moves {
        match &m.wait {
            Some(Until::Time { at, .. }) => timers.push((*at, m.head.id, TimerKind::Due)),
            Some(Until::Freed { reason, key }) => parked.push((&m.head, *reason, key)),
            None => {}
        }
        timers.extend(m.expires_again().map(|at| (at, m.head.id, TimerKind::Expire)));
    }
    insert_timers(tx, &timers).await?;
    if parked.is_empty() {
        return Ok(());
    }
    let row = |(head, reason, key): (&Head, WaitingFor, &String)| {
        let key = clean(key).into_owned();
        let (tenant, queue, kind) = (head.tenant.to_string(), head.queue.to_string(), head.kind.to_string());
        (hex(head.id.as_bytes()), reason.code(), key, head.priority.code(), tenant, queue, kind)
    };
    let rows: Vec<_> = parked.into_iter().map(row).collect();
    tx.execute(sql(include_str!("../queries/parked_insert.sql")).bind(to_json(&rows)?)).await?;
    Ok(())
}

async fn write_events(tx: &mut Tx<'_>, moves: &[Move], actor: &str) -> Result<(), Fault> {
    let mut events = Vec::with_capacity(moves.len());
    for m in moves {
        let data = match &m.data {
            Some(data) => Some(data.clone()),
            None => m.failure.as_ref().map(to_json).transpose()?,
        };
        events.push(JobEvent { head: &m.head, to: m.to, waiting_for: m.waiting_for(), data });
    }
    insert_events(tx, &events, actor).await
}
