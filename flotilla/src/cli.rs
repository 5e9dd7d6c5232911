//! The command line: what can be said, and what each command does with it.

mod audit;
mod clock;
mod completions;
mod confirm;
mod dead;
mod doctor;
mod endpoints;
mod jobs;
mod keys;
mod kinds;
mod listing;
mod migrate;
mod operations;
mod outcome;
mod payload;
mod queues;
mod reference;
mod say;
mod screen;
mod stats;
mod submit;
mod table;
mod up;
mod workers;

use clap::{Parser, Subcommand};
use settings::{Source, vars};

use crate::{Client, Credentials};
use say::Format;

pub use outcome::{Outcome, exit_code};

/// A queue-centric fleet of workers: durable jobs, signed webhooks, one process or many.
#[derive(Debug, Parser)]
#[command(
    name = "flotilla",
    version,
    after_help = AFTER_HELP,
)]
pub struct Cli {
    /// Where one-process mode keeps its things, and where its credentials are found [default: .flotilla]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Print the API's JSON for machines instead of text for people; what goes on is one object a line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  flotilla up --demo                         run everything in one process and watch it work
  flotilla submit webhooks.deliver --payload '{\"url\":\"https://example.com/hook\",\"data\":{\"hello\":1}}' --watch
  flotilla jobs list --state dead            what needs a person
  flotilla jobs tail 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f
  flotilla stats --watch                     the fleet at a glance

It finds a local `flotilla up` by itself. Other fleets: FLOTILLA_URL and FLOTILLA_KEY.

Exit codes:
  0  done
  1  it did not end well: a watched job died, a check failed, or something broke on this machine
  2  the command line is wrong, or a confirmation is missing
  3  the server refused, or there is no such thing
  4  the server cannot be reached or says to try again later, or there is nothing yet";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything in one process: API, scheduler, worker; on SQLite, or on real servers
    Up(up::Up),
    /// Bring PostgreSQL's schema up to date, before role processes start
    Migrate(migrate::Migrate),
    /// Submit a job, or a file of jobs
    Submit(submit::Submit),
    /// List, show, follow, cancel, retry and move jobs
    #[command(subcommand)]
    Jobs(jobs::Jobs),
    /// What died, of what, and running it again
    #[command(subcommand)]
    Dead(dead::Dead),
    /// What waits where
    #[command(subcommand)]
    Queues(queues::Queues),
    /// Who works
    #[command(subcommand)]
    Workers(workers::Workers),
    /// What jobs there can be
    #[command(subcommand)]
    Kinds(kinds::Kinds),
    /// The fleet's numbers of late
    Stats(stats::Stats),
    /// Acts on many jobs, and how far they are
    #[command(subcommand)]
    Operations(operations::Operations),
    /// Create, list and revoke API keys
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Create and list webhook endpoints, and show their signing secrets
    #[command(subcommand)]
    Endpoints(endpoints::Endpoints),
    /// Who did what
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Check everything that can be wrong here, and say how to mend it
    #[command(after_help = "\
Examples:
  flotilla doctor
  flotilla doctor --json | jq '.checks[] | select(.verdict == \"bad\")'")]
    Doctor,
    /// Print what a shell needs to complete commands
    Completions(completions::Completions),
    /// Print docs/cli.md
    #[command(hide = true)]
    Reference,
}

impl Cli {
    /// Runs the command to its end.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let mut source = Source::from_process()?;
        if let Some(dir) = &self.data_dir {
            source = source.with(&vars::DATA_DIR, dir);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(self.dispatch(source))
    }

    async fn dispatch(self, source: Source) -> anyhow::Result<Outcome> {
        let format = if self.json { Format::Json } else { Format::Text };
        match self.command {
            Command::Up(up) => {
                let source = up.over(source);
                crate::start_logs(&source)?;
                for name in source.unknown() {
                    tracing::warn!("`{name}` is set, but no setting is called so; see docs/configuration.md");
                }
                up.run(source).await
            }
            Command::Migrate(migrate) => migrate.run(&source, format).await,
            Command::Submit(submit) => submit.run(&client(&source)?, format).await,
            Command::Jobs(jobs) => jobs.run(&client(&source)?, format).await,
            Command::Dead(dead) => dead.run(&client(&source)?, format).await,
            Command::Queues(queues) => queues.run(&client(&source)?, format).await,
            Command::Workers(workers) => workers.run(&client(&source)?, format).await,
            Command::Kinds(kinds) => kinds.run(&client(&source)?, format).await,
            Command::Stats(stats) => stats.run(&client(&source)?, format).await,
            Command::Operations(operations) => operations.run(&client(&source)?, format).await,
            Command::Keys(keys) => keys.run(&source, format).await,
            Command::Endpoints(endpoints) => endpoints.run(&client(&source)?, format).await,
            Command::Audit(audit) => audit.run(&client(&source)?, format).await,
            Command::Doctor => doctor::run(&source, format).await,
            Command::Completions(completions) => completions.run(),
            Command::Reference => reference::run(),
        }
    }
}

fn client(source: &Source) -> anyhow::Result<Client> {
    Ok(Credentials::find(source)?.client()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
