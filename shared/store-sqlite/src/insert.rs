//! How are new jobs written, with their timers?

use std::collections::HashSet;
use std::sync::LazyLock;

use domain::{JobId, JobState, NewJob, Priority, QueueName, Timestamp, WaitingFor};

use crate::fault::Fault;
use crate::head::Head;
use crate::moves::insert_timers;
use crate::row::{TimerKind, job_ids, millis, to_json};
use crate::rows::Rows;
use crate::tx::{Sql, Tx, sql};

static JOB_INSERT: LazyLock<Rows> = LazyLock::new(|| Rows::of(include_str!("../queries/job_insert.sql")));

/// Jobs that are due now become `queued`, later ones `waiting` for their time.
fn first_state(job: &NewJob, now: Timestamp) -> JobState {
    if job.run_at.is_some_and(|at| at > now) { JobState::Waiting } else { JobState::Queued }
}

/// What was written.
#[derive(Default)]
pub(crate) struct Inserted {
    /// Those that are to be handed to the broker.
    pub(crate) queued: Vec<(QueueName, Priority, JobId)>,
    /// Those that were there already.
    pub(crate) repeated: Vec<JobId>,
    /// The earliest timer that was set.
    pub(crate) next_timer: Option<Timestamp>,
}

/// Writes the jobs that are not there yet: ids are minted by callers, so that a call whose reply was lost can be repeated.
pub(crate) async fn insert_jobs(tx: &mut Tx<'_>, jobs: &[&NewJob]) -> Result<Inserted, Fault> {
    let now = tx.now;
    let mut rows = Vec::with_capacity(jobs.len());
    for job in jobs {
        rows.push((*job, if job.tags.is_empty() { "[]".to_owned() } else { to_json(&job.tags)? }));
    }
    let written = JOB_INSERT.execute(tx, &rows, |statement, (job, tags)| bind(statement, job, tags, now)).await?;
    if written == jobs.len() as u64 {
        return finish(tx, jobs, Inserted::default()).await;
    }
    let statement = sql(include_str!("../queries/job_latest.sql")).bind(i64::try_from(written).unwrap_or(i64::MAX));
    let new: HashSet<JobId> = job_ids(&tx.rows(statement).await?)?.into_iter().collect();
    let (new, repeated): (Vec<&NewJob>, Vec<_>) = jobs.iter().copied().partition(|job| new.contains(&job.id));
    let repeated: Vec<JobId> = repeated.into_iter().map(|job| job.id).collect();
    let waiting_for_hints = Head::read(tx, &repeated).await?.into_iter().filter(|head| head.state == JobState::Queued);
    let queued = waiting_for_hints.map(|head| (head.queue, head.priority, head.id)).collect();
    finish(tx, &new, Inserted { queued, repeated, next_timer: None }).await
}

async fn finish(tx: &mut Tx<'_>, new: &[&NewJob], mut inserted: Inserted) -> Result<Inserted, Fault> {
    let now = tx.now;
    let queued = new.iter().filter(|job| first_state(job, now) == JobState::Queued);
    inserted.queued.extend(queued.map(|job| (job.queue.clone(), job.priority, job.id)));
    let mut timers = Vec::new();
    for job in new {
        timers.extend(job.run_at.filter(|at| *at > now).map(|at| (at, job.id, TimerKind::Due)));
        timers.extend(job.start_before.map(|at| (at, job.id, TimerKind::Expire)));
    }
    insert_timers(tx, &timers).await?;
    inserted.next_timer = timers.iter().map(|(at, ..)| *at).min();
    Ok(inserted)
}

fn bind(statement: Sql, job: &NewJob, tags: &str, now: Timestamp) -> Sql {
    let state = first_state(job, now);
    let waiting_for = (state == JobState::Waiting).then_some(i64::from(WaitingFor::Time.code()));
    let run_at = job.run_at.unwrap_or(now);
    statement
        .bind(job.id.as_bytes().to_vec())
        .bind(job.tenant.to_string())
        .bind(job.kind.to_string())
        .bind(job.queue.to_string())
        .bind(i64::from(job.priority.code()))
        .bind(i64::from(state.code()))
        .bind(waiting_for)
        .bind(i64::from(job.max_attempts))
        .bind(millis(job.timeout))
        .bind(now.micros())
        .bind(run_at.max(now).micros())
        .bind(run_at.micros())
        .bind(job.start_before.map(Timestamp::micros))
        .bind(job.unique.as_ref().map(|unique| unique.key.clone()))
        .bind(job.group.clone())
        .bind(job.callback_url.clone())
        .bind(job.trace.to_string())
        .bind(tags.to_owned())
        .bind(job.payload.clone())
}
