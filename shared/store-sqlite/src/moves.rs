//! How does a job get from one state to the next, with everything that belongs to it?
//!
//! Every transition but submission, claim and plain success goes through [`apply`]: it asks [`JobState::after`] where
//! the event leads, writes the job, its timer or parking place, its dead letter and its timeline, and does what an end
//! needs. Nothing else writes those tables, so that they cannot disagree.

use std::sync::LazyLock;

use domain::{Event, Failure, JobId, JobState, KindName, Priority, Progress, QueueName, Run, TenantId, Timestamp, WaitingFor, WorkerId};
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use store::Until;

use crate::ends;
use crate::fault::Fault;
use crate::row::{Columns, TimerKind, hex, job_list, to_json};
use crate::rows::Rows;
use crate::tx::{Tx, sql};

static TIMER_INSERT: LazyLock<Rows> = LazyLock::new(|| Rows::of(include_str!("../queries/timer_insert.sql")));
static PARKED_INSERT: LazyLock<Rows> = LazyLock::new(|| Rows::of(include_str!("../queries/parked_insert.sql")));
static DEAD_LETTER_INSERT: LazyLock<Rows> = LazyLock::new(|| Rows::of(include_str!("../queries/dead_letter_insert.sql")));
static EVENT_INSERT: LazyLock<Rows> = LazyLock::new(|| Rows::of(include_str!("../queries/job_event_insert.sql")));

/// A job as transitions need to know it.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) id: JobId,
    pub(crate) tenant: TenantId,
    pub(crate) kind: KindName,
    pub(crate) queue: QueueName,
    pub(crate) priority: Priority,
    pub(crate) state: JobState,
    pub(crate) run: Run,
    pub(crate) attempt: u16,
    pub(crate) max_attempts: u16,
    pub(crate) crashes: u16,
    pub(crate) cancel_requested: bool,
    pub(crate) run_at: Timestamp,
    pub(crate) start_before: Option<Timestamp>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) worker: Option<WorkerId>,
    pub(crate) run_by: Option<WorkerId>,
    pub(crate) unique_key: Option<String>,
    pub(crate) has_callback: bool,
}

impl Head {
    fn of(row: &SqliteRow) -> Result<Self, Fault> {
        let mut c = Columns::of(row);
        Ok(Self {
            id: c.job_id()?,
            tenant: c.parsed()?,
            kind: c.parsed()?,
            queue: c.parsed()?,
            priority: c.priority()?,
            state: c.state()?,
            run: c.number()?,
            attempt: c.number()?,
            max_attempts: c.number()?,
            crashes: c.number()?,
            cancel_requested: c.flag()?,
            run_at: c.time()?,
            start_before: c.maybe_time()?,
            started_at: c.maybe_time()?,
            worker: c.maybe_bytes()?.map(WorkerId::from_bytes),
            run_by: c.maybe_bytes()?.map(WorkerId::from_bytes),
            unique_key: c.maybe_text()?,
            has_callback: c.flag()?,
        })
    }

    /// Reads these jobs; those that do not exist are left out. In no particular order.
    pub(crate) async fn read(tx: &mut Tx<'_>, ids: &[JobId]) -> Result<Vec<Self>, Fault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = tx.rows(sql(include_str!("../queries/job_head.sql")).bind(job_list(ids))).await?;
        rows.iter().map(Self::of).collect()
    }

    /// Its start-before passed, and no attempt of it counts: a start that was given back is none.
    pub(crate) fn is_late(&self, now: Timestamp) -> bool {
        self.attempt == 0 && self.start_before.is_some_and(|limit| limit <= now)
    }
}

/// One transition to be made.
pub(crate) struct Move {
    pub(crate) head: Head,
    to: JobState,
    wait: Option<Until>,
    attempt: u16,
    crashes: u16,
    failure: Option<Failure>,
    progress: Option<Progress>,
    data: Option<String>,
}

impl Move {
    /// The transition that `event` makes. A fault when the event does not apply: callers check that first.
    pub(crate) fn new(head: Head, event: Event) -> Result<Self, Fault> {
        let to = head.state.after(event).ok_or_else(|| Fault::rule(format!("a {} job cannot take {event:?}", head.state)))?;
        let (attempt, crashes) = (head.attempt, head.crashes);
        Ok(Self { head, to, wait: None, attempt, crashes, failure: None, progress: None, data: None })
    }

    pub(crate) fn waits(mut self, until: Until) -> Self {
        self.wait = Some(until);
        self
    }

    /// Gives the attempt back; never the run.
    pub(crate) fn attempt_restored(mut self) -> Self {
        self.attempt = self.attempt.saturating_sub(1);
        self
    }

    pub(crate) fn crashed(mut self) -> Self {
        self.crashes = self.crashes.saturating_add(1);
        self
    }

    pub(crate) fn failed(mut self, failure: Option<Failure>) -> Self {
        self.failure = failure;
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

    pub(crate) fn to(&self) -> JobState {
        self.to
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
    write_jobs(tx, moves).await?;
    leave_waiting(tx, moves).await?;
    enter_waiting(tx, moves).await?;
    write_dead_letters(tx, moves).await?;
    write_events(tx, moves, actor).await?;
    let ended: Vec<&Head> = moves.iter().filter(|m| m.to.is_terminal()).map(|m| &m.head).collect();
    let with = |wanted: fn(&Head) -> bool| ended.iter().filter(|head| wanted(head)).map(|head| head.id).collect::<Vec<_>>();
    let callbacks = ends::ended(tx, &with(|head| head.unique_key.is_some()), &with(|head| head.has_callback)).await?;
    let queued = moves.iter().filter(|m| m.to == JobState::Queued);
    let queued = queued.map(|m| (m.head.queue.clone(), m.head.priority, m.head.id)).chain(callbacks).collect::<Vec<_>>();
    Ok(Applied {
        emissions: crate::row::emissions(&queued, &tx.context.mint, tx.now),
        next_timer: moves.iter().filter_map(Move::due_at).min(),
    })
}

#[derive(Serialize)]
struct MoveRow {
    id: String,
    run: Run,
    from: u8,
    to: u8,
    waiting_for: Option<u8>,
    run_at: Option<i64>,
    attempt: u16,
    crashes: u16,
    finished_at: Option<i64>,
    error: Option<String>,
    progress: Option<String>,
}

async fn write_jobs(tx: &mut Tx<'_>, moves: &[Move]) -> Result<(), Fault> {
    let mut rows = Vec::with_capacity(moves.len());
    for m in moves {
        let waits = m.to == JobState::Waiting;
        if waits != m.wait.is_some() {
            return Err(Fault::rule(format!("a job that becomes {} must know what it waits for, and no other", m.to)));
        }
        rows.push(MoveRow {
            id: hex(m.head.id.as_bytes()),
            run: m.head.run,
            from: m.head.state.code(),
            to: m.to.code(),
            waiting_for: m.waiting_for().map(WaitingFor::code),
            run_at: m.due_at().map(Timestamp::micros),
            attempt: m.attempt,
            crashes: m.crashes,
            finished_at: m.to.is_terminal().then(|| tx.now.micros()),
            error: m.failure.as_ref().map(to_json).transpose()?,
            progress: m.progress.as_ref().map(to_json).transpose()?,
        });
    }
    let moved = tx.execute(sql(include_str!("../queries/job_move.sql")).bind(to_json(&rows)?)).await?;
    if moved == moves.len() as u64 { Ok(()) } else { Err(Fault::rule(format!("{moved} of {} jobs moved", moves.len()))) }
}

/// A job that waits no longer keeps neither timer nor parking place.
async fn leave_waiting(tx: &mut Tx<'_>, moves: &[Move]) -> Result<(), Fault> {
    let left: Vec<&Head> = moves.iter().filter(|m| m.head.state == JobState::Waiting).map(|m| &m.head).collect();
    if left.is_empty() {
        return Ok(());
    }
    let timers: Vec<_> = left.iter().map(|head| timer_key(head.run_at, head.id, TimerKind::Due)).collect();
    delete_timers(tx, &timers).await?;
    tx.execute(sql(include_str!("../queries/parked_delete.sql")).bind(job_list(left.iter().map(|head| &head.id)))).await?;
    Ok(())
}

/// A timer's primary key as `timer_delete` reads it.
pub(crate) type TimerKey = (i64, String, u8);

pub(crate) fn timer_key(at: Timestamp, job: JobId, kind: TimerKind) -> TimerKey {
    (at.micros(), hex(job.as_bytes()), kind as u8)
}

pub(crate) async fn delete_timers(tx: &mut Tx<'_>, timers: &[TimerKey]) -> Result<(), Fault> {
    if !timers.is_empty() {
        tx.execute(sql(include_str!("../queries/timer_delete.sql")).bind(to_json(timers)?)).await?;
    }
    Ok(())
}

pub(crate) async fn insert_timers(tx: &mut Tx<'_>, timers: &[(Timestamp, JobId, TimerKind)]) -> Result<(), Fault> {
    TIMER_INSERT
        .execute(tx, timers, |statement, (at, job, kind)| {
            statement.bind(at.micros()).bind(job.as_bytes().to_vec()).bind(i64::from(*kind as u8))
        })
        .await?;
    Ok(())
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
    }
    insert_timers(tx, &timers).await?;
    PARKED_INSERT
        .execute(tx, &parked, |statement, (head, reason, key)| {
            statement
                .bind(i64::from(reason.code()))
                .bind((*key).clone())
                .bind(i64::from(head.priority.code()))
                .bind(head.id.as_bytes().to_vec())
                .bind(head.tenant.to_string())
                .bind(head.queue.to_string())
                .bind(head.kind.to_string())
        })
        .await?;
    Ok(())
}

async fn write_dead_letters(tx: &mut Tx<'_>, moves: &[Move]) -> Result<(), Fault> {
    let dead: Vec<&Move> = moves.iter().filter(|m| m.to == JobState::Dead).collect();
    let now = tx.now.micros();
    DEAD_LETTER_INSERT
        .execute(tx, &dead, |statement, m| {
            let (class, code) =
                m.failure.as_ref().map_or(("unknown", "unknown"), |failure| (failure.class.as_str(), failure.code.as_str()));
            statement
                .bind(m.head.id.as_bytes().to_vec())
                .bind(m.head.tenant.to_string())
                .bind(m.head.queue.to_string())
                .bind(m.head.kind.to_string())
                .bind(format!("{}/{class}/{code}", m.head.kind))
                .bind(code.to_owned())
                .bind(now)
        })
        .await?;
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

/// A line of a job's timeline.
pub(crate) struct JobEvent<'h> {
    /// The job before it.
    pub(crate) head: &'h Head,
    pub(crate) to: JobState,
    pub(crate) waiting_for: Option<WaitingFor>,
    pub(crate) data: Option<String>,
}

pub(crate) async fn insert_events(tx: &mut Tx<'_>, events: &[JobEvent<'_>], actor: &str) -> Result<(), Fault> {
    let now = tx.now.micros();
    EVENT_INSERT
        .execute(tx, events, |statement, event| {
            // Only the end of a run tells of its start; other lines have nothing to add.
            let run = Some(event.head).filter(|head| head.state == JobState::Running);
            statement
                .bind(event.head.id.as_bytes().to_vec())
                .bind(now)
                .bind(i64::from(event.head.run))
                .bind(i64::from(event.head.state.code()))
                .bind(i64::from(event.to.code()))
                .bind(event.waiting_for.map(|reason| i64::from(reason.code())))
                .bind(actor.to_owned())
                .bind(event.data.clone())
                .bind(run.and_then(|head| head.started_at).map(Timestamp::micros))
                .bind(run.and_then(|head| head.run_by).map(|worker| worker.as_bytes().to_vec()))
        })
        .await?;
    Ok(())
}
