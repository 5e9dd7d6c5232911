//! Acts on one job: what is asked for, and what is said afterwards.

use flotilla_client::{Answer, Client, Error, Id, Job, State};

use super::When;
use crate::cli::say::Format;
use crate::cli::{Outcome, clock, payload, say};

pub async fn retry(client: &Client, id: Id, payload: Option<&str>) -> anyhow::Result<Answer<Job>> {
    Ok(match payload {
        Some(given) => client.retry_with(id, &payload::json(given)?).await?,
        None => client.retry(id).await?,
    })
}

pub async fn reschedule(client: &Client, id: Id, when: &When, reason: Option<&str>) -> Result<Answer<Job>, Error> {
    match (when.run_at, when.delay) {
        (Some(at), _) => client.reschedule(id, at, reason).await,
        (None, delay) => client.reschedule_in(id, delay.unwrap_or_default(), reason).await,
    }
}

/// Says what the job is now.
pub fn done(job: &Answer<Job>, format: Format) -> anyhow::Result<Outcome> {
    match format {
        Format::Json => say::json(job.text()),
        Format::Text => say::line(&sentence(job)),
    }
    Ok(Outcome::Done)
}

fn sentence(job: &Job) -> String {
    let Job { id, state, priority, .. } = job;
    match (state, &job.waiting_for) {
        (State::Running, _) if job.cancel_requested => format!("{id} cancel requested: its handler is told within seconds"),
        (_, Some(what)) => format!("{id} {state} for {what}, {} ({priority})", clock::relative(job.run_at, clock::now())),
        (State::Queued, None) => format!("{id} {state} ({priority})"),
        (_, None) => format!("{id} {state}"),
    }
}
