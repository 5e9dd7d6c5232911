//! How does a transition get into its job's timeline?

use std::sync::LazyLock;

use domain::{JobState, Timestamp, WaitingFor};

use crate::fault::Fault;
use crate::head::Head;
use crate::rows::Rows;
use crate::tx::Tx;

static EVENT_INSERT: LazyLock<Rows> = LazyLock::new(|| Rows::of(include_str!("../queries/job_event_insert.sql")));

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
