//! `flotilla jobs bulk`: an act on every job that a filter lets through.

use std::time::Duration;

use clap::{Args, ValueEnum};
use flotilla_client::{Act, Client, JobFilter, Priority, Time};

use super::filter::Filter;
use super::priorities;
use crate::cli::outcome::Usage;
use crate::cli::say::Format;
use crate::cli::{Outcome, clock, confirm, operations, say};

/// Jobs that are counted before a person is asked.
const COUNTED_MAX: usize = 200;

#[derive(Debug, Args)]
pub struct Bulk {
    /// What to do to each of them
    action: Action,
    #[command(flatten)]
    filter: Filter,
    /// Why, for the audit log
    #[arg(long)]
    reason: String,
    /// With `reprioritize`: the new priority
    #[arg(long, value_parser = priorities())]
    priority: Option<Priority>,
    /// With `reschedule`: not before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::at, conflicts_with = "delay")]
    run_at: Option<Time>,
    /// With `reschedule`: not before this much later, such as 90s, 5m or 2h
    #[arg(long, value_name = "DURATION", value_parser = domain::parse_duration)]
    delay: Option<Duration>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Follow it to its end; exit with 1 unless it succeeded
    #[arg(long)]
    watch: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Stop them
    Cancel,
    /// Run dead, cancelled and expired ones again
    Retry,
    /// Give waiting and queued ones another priority
    Reprioritize,
    /// Put off those that wait for their time, or are queued
    Reschedule,
    /// Queue those that wait for their time, their next attempt or a rate limit
    RunNow,
}

impl Bulk {
    pub async fn run(self, client: &Client, format: Format) -> anyhow::Result<Outcome> {
        let act = self.act()?;
        let Self { filter, reason, yes, watch, action, .. } = self;
        let filter = filter.read();
        if filter.is_empty() {
            let hint = "name at least one filter; for all jobs: --created-before 0s";
            return Err(Usage(format!("this would touch every job\n  hint: {hint}")).into());
        }
        if !yes {
            let many = how_many(client, &filter).await?;
            confirm::sure(
                &format!("{}: {many}", action.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())),
                yes,
            )?;
        }
        let operation = client.bulk(&act, &filter, &reason).await?;
        operations::begun(client, operation, watch, format).await
    }

    fn act(&self) -> Result<Act, Usage> {
        let Self { action, priority, run_at, delay, .. } = self;
        let stray = |flag: &str| Err(Usage(format!("{flag} does not go with this action")));
        match (action, priority, run_at, delay) {
            (Action::Reprioritize, Some(priority), None, None) => Ok(Act::Reprioritize { priority: priority.clone() }),
            (Action::Reprioritize, None, ..) => Err(Usage("`reprioritize` needs --priority".to_owned())),
            (Action::Reschedule, None, Some(run_at), None) => Ok(Act::Reschedule { run_at: *run_at }),
            (Action::Reschedule, None, None, Some(delay)) => Ok(Act::RescheduleIn { delay: *delay }),
            (Action::Reschedule, None, ..) => Err(Usage("`reschedule` needs --run-at or --delay".to_owned())),
            (_, Some(_), ..) => stray("--priority"),
            (_, _, Some(_), _) => stray("--run-at"),
            (_, _, _, Some(_)) => stray("--delay"),
            (Action::Cancel, ..) => Ok(Act::Cancel),
            (Action::Retry, ..) => Ok(Act::Retry),
            (Action::RunNow, ..) => Ok(Act::RunNow),
        }
    }
}

/// What a person should know before saying yes.
async fn how_many(client: &Client, filter: &JobFilter) -> anyhow::Result<String> {
    let Some(page) = client.jobs_by(filter, COUNTED_MAX).next_page().await? else { return Ok("no jobs".to_owned()) };
    let more = if page.cursor.is_some() { "at least " } else { "" };
    let jobs = page.jobs.len();
    Ok(format!("{more}{jobs} {} it now", say::plain(if jobs == 1 { "job matches" } else { "jobs match" })))
}
