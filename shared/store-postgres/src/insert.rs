//! How are new jobs written, with their timers and their ledger rows? In one statement, whatever there is of each.

use std::collections::HashSet;

use domain::{Emission, JobId, JobState, NewJob, Timestamp, WaitingFor};
use sqlx::Row as _;
use uuid::Uuid;

use crate::emission::{LedgerRows, listed, pack};
use crate::fault::Fault;
use crate::moves::{Timer, bind_timers};
use crate::row::{TimerKind, clean, millis, to_json};
use crate::tx::{Sql, Tx, sql};

/// Jobs that are due now become `queued`, later ones `waiting` for their time.
fn first_state(job: &NewJob, now: Timestamp) -> JobState {
    if job.run_at.is_some_and(|at| at > now) { JobState::Waiting } else { JobState::Queued }
}

/// What was written.
#[derive(Default)]
pub(crate) struct Inserted {
    /// What is to be handed to the broker.
    pub(crate) emissions: Vec<Emission>,
    /// Those that were there already.
    pub(crate) repeated: HashSet<JobId>,
    /// The timers that were set.
    pub(crate) timers: Vec<Timer>,
}

/// Writes the jobs that are not there yet: ids are minted by callers, so that a call whose reply was lost can be repeated.
/// `cuts` are places between jobs of different callers: no emission reaches across.
pub(crate) async fn insert_jobs(tx: &mut Tx<'_>, jobs: &[&NewJob], cuts: &[usize]) -> Result<Inserted, Fault> {
    if jobs.is_empty() {
        return Ok(Inserted::default());
    }
    let emissions = emissions_of(tx, jobs, cuts);
    let timers: Vec<Timer> = jobs.iter().flat_map(|job| timers_of(job, tx.now)).collect();
    let statement = Columns::of(jobs, &emissions, tx.now)?.bind(tx.now, &timers, &emissions);
    let row = tx.row(statement).await?.ok_or_else(|| Fault::rule("an insertion did not answer"))?;
    let new: Option<Vec<Uuid>> = row.try_get(0)?;
    let written: i64 = row.try_get(1)?;
    if usize::try_from(written).is_ok_and(|written| written == jobs.len()) {
        return Ok(Inserted { emissions, repeated: HashSet::new(), timers });
    }
    let new: HashSet<JobId> = new.unwrap_or_default().into_iter().map(JobId::from_uuid).collect();
    let repeated = jobs.iter().map(|job| job.id).filter(|id| !new.contains(id)).collect();
    // Ledger rows of jobs that were there before are none of ours: they are sent again by the upkeep.
    let emissions = emissions.into_iter().filter(|emission| emission.jobs.iter().any(|job| new.contains(job))).collect();
    let timers = timers.into_iter().filter(|(_, job, _)| new.contains(job)).collect();
    Ok(Inserted { emissions, repeated, timers })
}

fn emissions_of(tx: &Tx<'_>, jobs: &[&NewJob], cuts: &[usize]) -> Vec<Emission> {
    let mut emissions = Vec::new();
    let mut from = 0;
    for to in cuts.iter().copied().chain([jobs.len()]) {
        let queued = jobs[from..to].iter().filter(|job| first_state(job, tx.now) == JobState::Queued);
        let queued: Vec<_> = queued.map(|job| (job.queue.clone(), job.priority, job.id)).collect();
        emissions.extend(pack(&queued, tx.context, tx.now));
        from = to;
    }
    emissions
}

fn timers_of(job: &NewJob, now: Timestamp) -> impl Iterator<Item = Timer> {
    let due = job.run_at.filter(|at| *at > now).map(|at| (at, job.id, TimerKind::Due));
    due.into_iter().chain(job.start_before.map(|at| (at, job.id, TimerKind::Expire)))
}

/// The columns of `job_insert`, in its order.
#[derive(Default)]
struct Columns {
    ids: Vec<Uuid>,
    tenants: Vec<String>,
    kinds: Vec<String>,
    queues: Vec<String>,
    prios: Vec<i16>,
    states: Vec<i16>,
    waiting_for: Vec<Option<i16>>,
    max_attempts: Vec<i16>,
    timeouts: Vec<i64>,
    due_at: Vec<i64>,
    run_at: Vec<i64>,
    start_before: Vec<Option<i64>>,
    unique_keys: Vec<Option<String>>,
    groups: Vec<Option<String>>,
    callbacks: Vec<Option<String>>,
    traces: Vec<String>,
    tags: Vec<String>,
    payloads: Vec<String>,
    emissions: Vec<Option<Uuid>>,
}

impl Columns {
    fn of(jobs: &[&NewJob], emissions: &[Emission], now: Timestamp) -> Result<Self, Fault> {
        let listed = listed(emissions);
        let mut columns = Self::default();
        for job in jobs {
            let state = first_state(job, now);
            let run_at = job.run_at.unwrap_or(now);
            columns.ids.push(*job.id.as_uuid());
            columns.tenants.push(job.tenant.to_string());
            columns.kinds.push(job.kind.to_string());
            columns.queues.push(job.queue.to_string());
            columns.prios.push(i16::from(job.priority.code()));
            columns.states.push(i16::from(state.code()));
            columns.waiting_for.push((state == JobState::Waiting).then_some(i16::from(WaitingFor::Time.code())));
            columns.max_attempts.push(i16::try_from(job.max_attempts).unwrap_or(i16::MAX));
            columns.timeouts.push(millis(job.timeout));
            columns.due_at.push(run_at.max(now).micros());
            columns.run_at.push(run_at.micros());
            columns.start_before.push(job.start_before.map(Timestamp::micros));
            columns.unique_keys.push(job.unique.as_ref().map(|unique| unique.key.clone()));
            columns.groups.push(job.group.clone());
            columns.callbacks.push(job.callback_url.clone());
            columns.traces.push(job.trace.to_string());
            columns.tags.push(if job.tags.is_empty() { "[]".to_owned() } else { to_json(&job.tags)? });
            columns.payloads.push(clean(&job.payload).into_owned());
            columns.emissions.push(listed.get(&job.id).map(|emission| *emission.as_uuid()));
        }
        Ok(columns)
    }

    fn bind(self, now: Timestamp, timers: &[Timer], emissions: &[Emission]) -> Sql {
        let statement = sql(include_str!("../queries/job_insert.sql"))
            .bind(self.ids)
            .bind(self.tenants)
            .bind(self.kinds)
            .bind(self.queues)
            .bind(self.prios)
            .bind(self.states)
            .bind(self.waiting_for)
            .bind(self.max_attempts)
            .bind(self.timeouts)
            .bind(self.due_at)
            .bind(self.run_at)
            .bind(self.start_before)
            .bind(self.unique_keys)
            .bind(self.groups)
            .bind(self.callbacks)
            .bind(self.traces)
            .bind(self.tags)
            .bind(self.payloads)
            .bind(self.emissions)
            .bind(now.micros());
        let rows = LedgerRows::of(emissions);
        let statement = bind_timers(statement, timers).bind(rows.ids).bind(rows.queues).bind(rows.prios);
        statement.bind(rows.firsts).bind(rows.lasts).bind(rows.jobs)
    }
}

/// The statement with nothing to write, to have it planned.
pub(crate) fn nothing() -> Sql {
    Columns::default().bind(Timestamp::default(), &[], &[])
}
