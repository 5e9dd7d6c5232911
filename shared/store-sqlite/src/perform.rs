//! How is an act done to jobs that allow it? To one, or to hundreds in a handful of statements.

use std::sync::Arc;

use domain::{Act, Emission, Event, JobId, JobState, Priority, Timestamp, WaitingFor};
use store::Until;

use crate::emission::emissions;
use crate::event::{JobEvent, insert_events};
use crate::fault::Fault;
use crate::head::Head;
use crate::moves::{Applied, Move, TimerKey, apply, delete_timers, timer_key};
use crate::row::{TimerKind, hex, job_list, to_json};
use crate::tx::{Tx, sql};

pub(crate) const DEAD_LETTER_FORGET: &str = include_str!("../queries/dead_letter_forget.sql");

/// What the timelines say of it: who, and as JSON text why.
pub(crate) struct Note {
    pub(crate) actor: String,
    pub(crate) data: Option<String>,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Performed {
    pub(crate) emissions: Vec<Emission>,
    /// The earliest timer that was set.
    pub(crate) next_timer: Option<Timestamp>,
    /// Running jobs that were asked to stop.
    pub(crate) asked: Vec<JobId>,
}

/// Makes happen to each job what [`Act::consequence`] said; `payload` is that of an edited retry.
pub(crate) async fn perform(
    tx: &mut Tx<'_>,
    act: &Act,
    jobs: Vec<(Head, Event)>,
    payload: Option<&Arc<str>>,
    note: &Note,
) -> Result<Performed, Fault> {
    let (mut moves, mut asked, mut replayed, mut moved) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (head, event) in jobs {
        match (act, event) {
            (_, Event::CancelAsked) if head.state == JobState::Running => asked.push(head),
            (Act::Reschedule { run_at }, Event::Rescheduled) => moves.push(rescheduled(head, *run_at)?),
            (_, Event::Released) => moves.push(Move::new(head, event)?.due_anew(tx.now)),
            (Act::Retry, _) => replayed.push(head),
            (Act::Reprioritize { .. }, _) => moved.push(head),
            (Act::Cancel | Act::Reschedule { .. } | Act::RunNow, _) => moves.push(Move::new(head, event)?),
        }
    }
    let moves: Vec<Move> = moves.into_iter().map(|m| m.because(note.data.clone())).collect();
    let Applied { emissions: mut queued, next_timer } = apply(tx, &moves, &note.actor).await?;
    ask(tx, &asked, note).await?;
    queued.extend(replay(tx, &replayed, payload, note).await?);
    if let Act::Reprioritize { priority } = act {
        queued.extend(reprioritize(tx, &moved, *priority, note).await?);
    }
    Ok(Performed { emissions: queued, next_timer, asked: asked.iter().map(|head| head.id).collect() })
}

fn rescheduled(head: Head, at: Timestamp) -> Result<Move, Fault> {
    Ok(Move::new(head, Event::Rescheduled)?.waits(Until::Time { at, reason: WaitingFor::Time }).due_anew(at))
}

/// Notes it in the timelines of these jobs, which come to this state.
async fn write_down(tx: &mut Tx<'_>, heads: &[Head], note: &Note, to: impl Fn(&Head) -> JobState) -> Result<(), Fault> {
    let event = |head| JobEvent { head, to: to(head), waiting_for: head.waiting_for, data: note.data.clone() };
    insert_events(tx, &heads.iter().map(event).collect::<Vec<_>>(), &note.actor).await
}

fn list(heads: &[Head]) -> String {
    job_list(heads.iter().map(|head| &head.id))
}

/// All of them, or the jobs were not as they had been read.
fn all(touched: u64, heads: &[Head]) -> Result<(), Fault> {
    if touched == heads.len() as u64 { Ok(()) } else { Err(Fault::rule("a job changed inside its transaction")) }
}

/// Leaves running jobs running: who runs them is told.
async fn ask(tx: &mut Tx<'_>, heads: &[Head], note: &Note) -> Result<(), Fault> {
    if heads.is_empty() {
        return Ok(());
    }
    let touched = tx.execute(sql(include_str!("../queries/job_request_cancel.sql")).bind(list(heads))).await?;
    all(touched, heads)?;
    write_down(tx, heads, note, |head| head.state).await
}

async fn replay(tx: &mut Tx<'_>, heads: &[Head], payload: Option<&Arc<str>>, note: &Note) -> Result<Vec<Emission>, Fault> {
    if heads.is_empty() {
        return Ok(Vec::new());
    }
    let jobs: Vec<_> = heads.iter().map(|head| (hex(head.id.as_bytes()), head.state.code())).collect();
    let statement = sql(include_str!("../queries/job_replay.sql"))
        .bind(to_json(&jobs)?)
        .bind(i64::from(JobState::Queued.code()))
        .bind(tx.now.micros())
        .bind(payload.cloned());
    let touched = tx.execute(statement).await?;
    all(touched, heads)?;
    tx.execute(sql(DEAD_LETTER_FORGET).bind(list(heads))).await?;
    let expiry = heads.iter().filter_map(|head| Some(timer_key(head.start_before?, head.id, TimerKind::Expire)));
    delete_timers(tx, &expiry.collect::<Vec<TimerKey>>()).await?;
    write_down(tx, heads, note, |_| JobState::Queued).await?;
    Ok(emitted(tx, heads, |head| head.priority))
}

/// Moves them into their classes at another priority. The broker hears of queued ones again; their old hints are noise.
async fn reprioritize(tx: &mut Tx<'_>, heads: &[Head], priority: Priority, note: &Note) -> Result<Vec<Emission>, Fault> {
    if heads.is_empty() {
        return Ok(Vec::new());
    }
    let code = i64::from(priority.code());
    let touched = tx.execute(sql(include_str!("../queries/job_reprioritize.sql")).bind(list(heads)).bind(code)).await?;
    all(touched, heads)?;
    tx.execute(sql(include_str!("../queries/parked_reprioritize.sql")).bind(list(heads)).bind(code)).await?;
    write_down(tx, heads, note, |head| head.state).await?;
    let queued: Vec<Head> = heads.iter().filter(|head| head.state == JobState::Queued).cloned().collect();
    Ok(emitted(tx, &queued, |_| priority))
}

fn emitted(tx: &Tx<'_>, heads: &[Head], priority: impl Fn(&Head) -> Priority) -> Vec<Emission> {
    let queued: Vec<_> = heads.iter().map(|head| (head.queue.clone(), priority(head), head.id)).collect();
    emissions(&queued, &tx.context.mint, tx.now)
}
