//! What does an act come to for jobs that are locked, and how is it written for all of them at once?
//!
//! [`Act::consequence`] decides for each job by itself; what is to happen is then a handful of statements, however many jobs there
//! are.

use domain::{Act, Consequence, Emission, Event, JobId, JobState, OperationId, Priority, Timestamp, WaitingFor};
use serde_json::{Map, Value};
use store::{Actor, Until};
use uuid::Uuid;

use crate::emission;
use crate::event::{JobEvent, insert_events};
use crate::fault::Fault;
use crate::head::Head;
use crate::moves::{Applied, Move, Timer, apply, delete_timers};
use crate::row::{TimerKind, clean};
use crate::tx::{Tx, sql_of};

/// What the timelines say of an act.
pub(crate) struct Note {
    actor: String,
    /// What was asked for, and why, as a JSON object.
    pub(crate) data: Option<String>,
}

impl Note {
    pub(crate) fn of_one(act: &Act, by: &Actor, reason: Option<&str>, edited: bool) -> Self {
        let mut data = asked(act);
        if edited {
            data.insert("edited".to_owned(), Value::Bool(true));
        }
        data.extend(reason.map(|reason| ("reason".to_owned(), reason.into())));
        Self::new(&by.name, &data)
    }

    pub(crate) fn of_operation(act: &Act, by: &str, operation: OperationId, reason: &str) -> Self {
        let mut data = asked(act);
        data.insert("operation".to_owned(), operation.to_string().into());
        data.insert("reason".to_owned(), reason.into());
        Self::new(by, &data)
    }

    fn new(by: &str, data: &Map<String, Value>) -> Self {
        let data = (!data.is_empty()).then(|| serde_json::json!(data).to_string());
        Self { actor: format!("key:{by}"), data }
    }

    async fn write(&self, tx: &mut Tx<'_>, heads: &[Head], to: impl Fn(&Head) -> (JobState, Option<WaitingFor>)) -> Result<(), Fault> {
        let mut events = Vec::with_capacity(heads.len());
        for head in heads {
            let (to, waiting_for) = to(head);
            events.push(JobEvent { head, to, waiting_for, data: self.data.clone() });
        }
        insert_events(tx, &events, &self.actor).await
    }
}

/// What an act asks for besides its name.
fn asked(act: &Act) -> Map<String, Value> {
    let mut data = Map::new();
    match act {
        Act::Reprioritize { priority } => {
            data.insert("priority".to_owned(), priority.as_str().into());
        }
        Act::Reschedule { run_at } => {
            data.insert("run_at".to_owned(), run_at.to_string().into());
        }
        Act::Cancel | Act::Retry | Act::RunNow => {}
    }
    data
}

/// What an act came to.
#[derive(Default)]
pub(crate) struct Acted {
    /// Those to which it happened. The others that are not illegal were as asked for already.
    pub(crate) done: Vec<JobId>,
    pub(crate) illegal: Vec<JobId>,
    /// Running ones among `done` that were asked to stop.
    pub(crate) asked: Vec<JobId>,
    pub(crate) emissions: Vec<Emission>,
    pub(crate) next_timer: Option<Timestamp>,
}

impl Acted {
    fn add(&mut self, applied: Applied) {
        self.emissions.extend(applied.emissions);
        self.next_timer = self.next_timer.into_iter().chain(applied.next_timer).min();
    }
}

/// Does it to each of these jobs that allows it, with a line in its timeline.
pub(crate) async fn act(tx: &mut Tx<'_>, heads: Vec<Head>, act: &Act, note: &Note, payload: Option<&str>) -> Result<Acted, Fault> {
    let (mut acted, mut happens) = (Acted::default(), Vec::new());
    for head in heads {
        match act.consequence(&head.standing(), tx.now) {
            Consequence::Happens(event) => happens.push((head, event)),
            Consequence::Nothing => {}
            Consequence::Illegal => acted.illegal.push(head.id),
        }
    }
    acted.done = happens.iter().map(|(head, _)| head.id).collect();
    if happens.is_empty() {
        return Ok(acted);
    }
    match act {
        Act::Cancel => cancel(tx, happens, note, &mut acted).await?,
        Act::Retry => acted.emissions = replay(tx, &heads_of(happens), note, payload).await?,
        Act::Reprioritize { priority } => acted.emissions = reprioritize(tx, &heads_of(happens), *priority, note).await?,
        Act::Reschedule { run_at } => acted.add(set_time(tx, happens, *run_at, note).await?),
        Act::RunNow => acted.add(set_time(tx, happens, tx.now, note).await?),
    }
    Ok(acted)
}

fn heads_of(happens: Vec<(Head, Event)>) -> Vec<Head> {
    happens.into_iter().map(|(head, _)| head).collect()
}

/// Ends what waits, and asks what runs.
async fn cancel(tx: &mut Tx<'_>, happens: Vec<(Head, Event)>, note: &Note, acted: &mut Acted) -> Result<(), Fault> {
    let (running, others): (Vec<_>, Vec<_>) = happens.into_iter().partition(|(head, _)| head.state == JobState::Running);
    let moved = others.into_iter().map(|(head, event)| Ok(Move::new(head, event)?.because(note.data.clone())));
    acted.add(apply(tx, &moved.collect::<Result<Vec<_>, Fault>>()?, &note.actor).await?);
    if !running.is_empty() {
        let running = heads_of(running);
        acted.asked = running.iter().map(|head| head.id).collect();
        tx.execute(sql_of(include_str!("../queries/job_request_cancel.sql"), &acted.asked)).await?;
        note.write(tx, &running, |head| (head.state, None)).await?;
    }
    Ok(())
}

/// Queues jobs that wait for a time, or lets them wait for another.
async fn set_time(tx: &mut Tx<'_>, happens: Vec<(Head, Event)>, run_at: Timestamp, note: &Note) -> Result<Applied, Fault> {
    let mut moves = Vec::with_capacity(happens.len());
    for (head, event) in happens {
        let made = Move::new(head, event)?.because(note.data.clone());
        let waits = made.to() == JobState::Waiting;
        let at = if waits { run_at } else { tx.now };
        let made = made.set_to(at);
        moves.push(if waits { made.waits(Until::Time { at, reason: WaitingFor::Time }) } else { made });
    }
    apply(tx, &moves, &note.actor).await
}

/// Queues ended jobs again. Whoever calls keeps partitions from being compacted meanwhile.
async fn replay(tx: &mut Tx<'_>, heads: &[Head], note: &Note, payload: Option<&str>) -> Result<Vec<Emission>, Fault> {
    let to = JobState::Queued;
    let (emissions, listed) = listed(tx, heads, |head| Some(head.priority));
    let statement = sql_of(include_str!("../queries/job_replay.sql"), heads.iter().map(|head| &head.id))
        .bind(i64::from(to.code()))
        .bind(tx.now.micros())
        .bind(payload.map(|text| clean(text).into_owned()))
        .bind(listed);
    all_changed(tx.execute(statement).await?, heads)?;
    tx.execute(sql_of(include_str!("../queries/dead_letter_delete.sql"), heads.iter().map(|head| &head.id))).await?;
    emission::record(tx, &emissions).await?;
    let expiry: Vec<Timer> = heads.iter().filter_map(|head| Some((head.start_before?, head.id, TimerKind::Expire))).collect();
    delete_timers(tx, &expiry).await?;
    note.write(tx, heads, |_| (to, None)).await?;
    Ok(emissions)
}

/// Moves jobs into another class. A queued one is listed anew, in that class: hints of the old class find it in none of theirs.
async fn reprioritize(tx: &mut Tx<'_>, heads: &[Head], priority: Priority, note: &Note) -> Result<Vec<Emission>, Fault> {
    let (emissions, listed) = listed(tx, heads, |head| (head.state == JobState::Queued).then_some(priority));
    let prio = i64::from(priority.code());
    let ids = || heads.iter().map(|head| &head.id);
    let statement = sql_of(include_str!("../queries/job_reprioritize.sql"), ids()).bind(prio).bind(listed);
    all_changed(tx.execute(statement).await?, heads)?;
    emission::record(tx, &emissions).await?;
    if heads.iter().any(|head| head.state == JobState::Waiting) {
        tx.execute(sql_of(include_str!("../queries/parked_reprioritize.sql"), ids()).bind(prio)).await?;
    }
    note.write(tx, heads, |head| (head.state, head.waiting_for)).await?;
    Ok(emissions)
}

/// Emissions for those of the jobs that get into a class, and for each job in the order of the ids the one that lists it.
fn listed(tx: &Tx<'_>, heads: &[Head], class_of: impl Fn(&Head) -> Option<Priority>) -> (Vec<Emission>, Vec<Option<Uuid>>) {
    let queued = heads.iter().filter_map(|head| Some((head.queue.clone(), class_of(head)?, head.id)));
    let emissions = emission::pack(&queued.collect::<Vec<_>>(), tx.context, tx.now);
    let by_job = emission::listed(&emissions);
    let mut ids: Vec<JobId> = heads.iter().map(|head| head.id).collect();
    ids.sort_unstable();
    let listed = ids.iter().map(|id| by_job.get(id).map(|emission| *emission.as_uuid())).collect();
    (emissions, listed)
}

fn all_changed(changed: u64, heads: &[Head]) -> Result<(), Fault> {
    if changed == heads.len() as u64 { Ok(()) } else { Err(Fault::rule("jobs changed inside their transaction")) }
}
