//! What happened to a job? Its recorded transitions, and the happy ones that only its own row shows.

use domain::{JobId, JobState, Run, TenantId, Timestamp, WaitingFor, WorkerId};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnection, PgRow};
use store::TimelineEntry;

use crate::fault::Fault;
use crate::reader::SNAPSHOT;
use crate::row::Columns;
use crate::tx::sql;

/// What the job's row tells.
struct Story {
    created_at: Timestamp,
    state: JobState,
    waiting_for: Option<WaitingFor>,
    run: Run,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    run_by: Option<WorkerId>,
}

/// A recorded transition, with the start of the run that it ended.
struct Recorded {
    entry: TimelineEntry,
    from: JobState,
    started_at: Option<Timestamp>,
    run_by: Option<WorkerId>,
}

pub(crate) async fn read(connection: &mut PgConnection, tenant: &TenantId, id: JobId) -> Result<Vec<TimelineEntry>, Fault> {
    let mut tx = connection.begin_with(SNAPSHOT).await?;
    let statement = sql(include_str!("../queries/job_story.sql")).bind(tenant.to_string()).bind(*id.as_uuid());
    let row = statement.fetch_optional(&mut *tx).await?;
    let events = sql(include_str!("../queries/job_event_list.sql")).bind(*id.as_uuid());
    let recorded: Vec<Recorded> = events.fetch_all(&mut *tx).await?.iter().map(recorded).collect::<Result<_, _>>()?;
    tx.rollback().await?;
    let Some(row) = row else { return Ok(Vec::new()) };
    Ok(merge(&story(&row)?, recorded))
}

fn story(row: &PgRow) -> Result<Story, Fault> {
    let mut c = Columns::of(row);
    Ok(Story {
        created_at: c.time()?,
        state: c.state()?,
        waiting_for: c.maybe_waiting_for()?,
        run: c.number()?,
        started_at: c.maybe_time()?,
        finished_at: c.maybe_time()?,
        run_by: c.maybe_bytes()?.map(WorkerId::from_bytes),
    })
}

fn recorded(row: &PgRow) -> Result<Recorded, Fault> {
    let mut c = Columns::of(row);
    let (at, run, from, to) = (c.time()?, c.number()?, c.state()?, c.state()?);
    let (waiting_for, actor, data) = (c.maybe_waiting_for()?, c.text()?, c.maybe_text()?);
    let entry = TimelineEntry { at, run, from: Some(from), to, waiting_for, actor, data };
    Ok(Recorded { entry, from, started_at: c.maybe_time()?, run_by: c.maybe_bytes()?.map(WorkerId::from_bytes) })
}

fn merge(story: &Story, recorded: Vec<Recorded>) -> Vec<TimelineEntry> {
    let mut entries = vec![submission(story, recorded.first())];
    let mut shown: Run = 0;
    for event in recorded {
        let run = event.entry.run;
        if event.from == JobState::Running && run > shown {
            entries.extend(event.started_at.map(|at| start(at, run, event.run_by)));
            shown = run;
        }
        entries.push(event.entry);
    }
    if story.run > shown {
        entries.extend(story.started_at.map(|at| start(at, story.run, story.run_by)));
    }
    if story.state == JobState::Succeeded {
        entries.extend(story.finished_at.map(|at| TimelineEntry {
            from: Some(JobState::Running),
            to: JobState::Succeeded,
            ..start(at, story.run, story.run_by)
        }));
    }
    entries
}

/// The first recorded transition tells where the job stood before; without one, a job that waits has waited from the start.
fn submission(story: &Story, first: Option<&Recorded>) -> TimelineEntry {
    let waited = first.map_or(story.state, |event| event.from) == JobState::Waiting;
    let (to, waiting_for) = if waited { (JobState::Waiting, Some(WaitingFor::Time)) } else { (JobState::Queued, None) };
    let waiting_for = if first.is_none() && waited { story.waiting_for } else { waiting_for };
    TimelineEntry { at: story.created_at, run: 0, from: None, to, waiting_for, actor: "intake".to_owned(), data: None }
}

fn start(at: Timestamp, run: Run, by: Option<WorkerId>) -> TimelineEntry {
    let actor = by.map_or_else(|| "worker".to_owned(), |worker| format!("worker:{worker}"));
    TimelineEntry { at, run, from: Some(JobState::Queued), to: JobState::Running, waiting_for: None, actor, data: None }
}
