//! `flotilla jobs`: look at jobs, follow them, act on them.

mod act;
mod bulk;
mod filter;
mod list;
mod show;
mod tail;

use std::time::Duration;

use clap::{Args, Subcommand};
use flotilla_client::{Client, Id, Priority, Time};

use super::say::Format;
use super::{Outcome, clock};

pub use tail::state_line;

#[derive(Debug, Subcommand)]
pub enum Jobs {
    /// List jobs, newest first
    #[command(after_help = "\
Examples:
  flotilla jobs list --state dead --kind webhooks.deliver --limit 20
  flotilla jobs list --created-after 2h --search timeout
  flotilla jobs list --json --limit 1000 | jq -r '.jobs[].id'")]
    List(list::List),
    /// Show a job with its timeline and logs
    #[command(after_help = "\
Example:
  flotilla jobs show 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f")]
    Show(One),
    /// Print what a job left, as it is
    #[command(after_help = "\
Examples:
  flotilla jobs result 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f | jq .
  flotilla jobs result 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f --wait 5m

Exits with 4 when there is none yet, with 1 when there will be none.")]
    Result(show::Wanted),
    /// Show what happened to a job
    #[command(after_help = "\
Example:
  flotilla jobs timeline 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f")]
    Timeline(One),
    /// Show what a job's handlers wrote
    #[command(after_help = "\
Example:
  flotilla jobs logs 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f")]
    Logs(One),
    /// Follow a job while it runs: states, progress, log, output
    #[command(after_help = "\
Examples:
  flotilla jobs tail 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f
  flotilla jobs tail 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f --json | jq -c 'select(.event == \"log\").data'

A broken connection is resumed. Exits with 1 unless the job succeeded.")]
    Tail(tail::Tail),
    /// Cancel a job: at once, or when its handler stops
    #[command(after_help = "\
Example:
  flotilla jobs cancel 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f --reason 'wrong customer'")]
    Cancel(Reasoned),
    /// Run a dead, cancelled or expired job again
    #[command(after_help = "\
Examples:
  flotilla jobs retry 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f
  flotilla jobs retry 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f --payload @mended.json")]
    Retry {
        #[command(flatten)]
        job: One,
        /// Another payload: JSON, `@FILE`, or `-` for standard input; its effects are then new ones
        #[arg(long, value_name = "JSON|@FILE|-")]
        payload: Option<String>,
    },
    /// Give a waiting or queued job another priority
    #[command(after_help = "\
Example:
  flotilla jobs reprioritize 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f critical")]
    Reprioritize {
        #[command(flatten)]
        job: Reasoned,
        /// Its new priority
        #[arg(value_parser = priorities())]
        priority: Priority,
    },
    /// Put a job off that waits for its time, or is queued
    #[command(after_help = "\
Examples:
  flotilla jobs reschedule 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f --delay 2h
  flotilla jobs reschedule 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f --run-at 2026-12-24T18:00:00Z")]
    Reschedule {
        #[command(flatten)]
        job: Reasoned,
        #[command(flatten)]
        when: When,
    },
    /// Queue a job that waits for its time, its next attempt or a rate limit
    #[command(after_help = "\
Example:
  flotilla jobs run-now 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f")]
    RunNow(Reasoned),
    /// Act on every job that a filter lets through
    #[command(after_help = "\
Examples:
  flotilla jobs bulk cancel --queue newsletter --state queued --reason 'wrong text' --watch
  flotilla jobs bulk retry --state dead --created-after 2h --reason 'receiver is back' --yes
  flotilla jobs bulk reprioritize --kind reports.build --priority bulk --reason 'month end'
  flotilla jobs bulk reschedule --tag trial --delay 1d --reason 'maintenance'

It goes on by itself: see `flotilla operations`.")]
    Bulk(bulk::Bulk),
}

/// Which job.
#[derive(Debug, Args)]
pub struct One {
    /// The job's id
    #[arg(value_parser = id)]
    id: Id,
}

#[derive(Debug, Args)]
pub struct Reasoned {
    /// The job's id
    #[arg(value_parser = id)]
    id: Id,
    /// Why, for the audit log
    #[arg(long)]
    reason: Option<String>,
}

/// Until when, or by how much.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct When {
    /// Not before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::at)]
    run_at: Option<Time>,
    /// Not before this much later, such as 90s, 5m or 2h
    #[arg(long, value_name = "DURATION", value_parser = domain::parse_duration)]
    delay: Option<Duration>,
}

impl Jobs {
    pub async fn run(self, client: &Client, format: Format) -> anyhow::Result<Outcome> {
        match self {
            Self::List(list) => list.run(client, format).await,
            Self::Show(One { id }) => show::whole(client, id, format).await,
            Self::Result(result) => result.run(client, format).await,
            Self::Timeline(One { id }) => show::timeline(client, id, format).await,
            Self::Logs(One { id }) => show::logs(client, id, format).await,
            Self::Tail(tail) => tail.run(client, format).await,
            Self::Bulk(bulk) => bulk.run(client, format).await,
            Self::Cancel(Reasoned { id, reason }) => act::done(&client.cancel(id, reason.as_deref()).await?, format),
            Self::Retry { job: One { id }, payload } => act::done(&act::retry(client, id, payload.as_deref()).await?, format),
            Self::Reprioritize { job: Reasoned { id, reason }, priority } => {
                act::done(&client.reprioritize(id, &priority, reason.as_deref()).await?, format)
            }
            Self::Reschedule { job: Reasoned { id, reason }, when } => {
                act::done(&act::reschedule(client, id, &when, reason.as_deref()).await?, format)
            }
            Self::RunNow(Reasoned { id, reason }) => act::done(&client.run_now(id, reason.as_deref()).await?, format),
        }
    }
}

pub fn id(text: &str) -> Result<Id, String> {
    text.trim().parse().map_err(|_| format!("`{text}` is not an id (expected such as 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f)"))
}

/// One of the five; a misspelt one gets a suggestion.
pub fn priorities() -> impl clap::builder::TypedValueParser<Value = Priority> {
    use clap::builder::TypedValueParser as _;
    clap::builder::PossibleValuesParser::new(Priority::ALL.iter().map(|known| known.as_str())).map(|text| Priority::from(text.as_str()))
}
