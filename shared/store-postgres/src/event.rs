//! How does a transition get into its job's timeline?

use std::borrow::Cow;

use domain::{JobState, Run, Timestamp, WaitingFor};

use crate::fault::Fault;
use crate::head::Head;
use crate::row::{clean, hex, to_json};
use crate::tx::{Tx, sql};

/// A line of a job's timeline.
pub(crate) struct JobEvent<'h> {
    /// The job before it.
    pub(crate) head: &'h Head,
    pub(crate) to: JobState,
    pub(crate) waiting_for: Option<WaitingFor>,
    pub(crate) data: Option<String>,
}

type Row<'e> = (String, Run, u8, u8, Option<u8>, Option<Cow<'e, str>>, Option<i64>, Option<String>);

pub(crate) async fn insert_events(tx: &mut Tx<'_>, events: &[JobEvent<'_>], actor: &str) -> Result<(), Fault> {
    let rows: Vec<Row<'_>> = events.iter().map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let statement = sql(include_str!("../queries/job_event_insert.sql")).bind(to_json(&rows)?).bind(tx.now.micros());
    tx.execute(statement.bind(clean(actor).into_owned())).await?;
    Ok(())
}

fn row<'e>(event: &'e JobEvent<'_>) -> Row<'e> {
    // Only the end of a run tells of its start; other lines have nothing to add.
    let run = Some(event.head).filter(|head| head.state == JobState::Running);
    (
        hex(event.head.id.as_bytes()),
        event.head.run,
        event.head.state.code(),
        event.to.code(),
        event.waiting_for.map(WaitingFor::code),
        event.data.as_deref().map(clean),
        run.and_then(|head| head.started_at).map(Timestamp::micros),
        run.and_then(|head| head.run_by).map(|worker| hex(worker.as_bytes())),
    )
}
