//! The command line: what can be said, and what each command does with it.

mod doctor;
mod endpoints;
mod jobs;
mod keys;
mod migrate;
mod outcome;
mod say;
mod submit;
mod up;

use clap::{Parser, Subcommand};
use settings::{Source, vars};

use crate::{Client, Credentials};

pub use outcome::{Outcome, exit_code};

/// A queue-centric fleet of workers: durable jobs, signed webhooks, one process or many.
#[derive(Debug, Parser)]
#[command(
    name = "flotilla",
    version,
    after_help = "\
Examples:
  flotilla up --demo                         run everything in one process and watch it work
  flotilla submit webhooks.deliver --payload '{\"url\":\"https://example.com/hook\",\"data\":{\"hello\":1}}' --watch
  flotilla jobs list --state dead            what needs a person
  flotilla jobs show 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f

Exit codes: 0 done · 1 it did not end well · 2 the command line is wrong · 3 the server refused · 4 the server cannot be reached"
)]
pub struct Cli {
    /// Where one-process mode keeps its things, and where its credentials are found [default: .flotilla]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Print JSON for machines instead of text for people
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything in one process: API, scheduler, worker; on SQLite, or on real servers
    Up(up::Up),
    /// Bring PostgreSQL's schema up to date, before role processes start
    Migrate(migrate::Migrate),
    /// Submit a job
    Submit(submit::Submit),
    /// List, show, cancel and retry jobs
    #[command(subcommand)]
    Jobs(jobs::Jobs),
    /// Create, list and revoke API keys
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Create and list webhook endpoints, and show their signing secrets
    #[command(subcommand)]
    Endpoints(endpoints::Endpoints),
    /// Check everything that can be wrong here, and say how to mend it
    Doctor,
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
        let json = self.json;
        match self.command {
            Command::Up(up) => {
                let source = up.over(source);
                crate::start_logs(&source)?;
                for name in source.unknown() {
                    tracing::warn!("`{name}` is set, but no setting is called so; see docs/configuration.md");
                }
                up.run(source).await
            }
            Command::Migrate(migrate) => migrate.run(&source, json).await,
            Command::Submit(submit) => submit.run(&client(&source)?, json).await,
            Command::Jobs(jobs) => jobs.run(&client(&source)?, json).await,
            Command::Keys(keys) => keys.run(&source, json).await,
            Command::Endpoints(endpoints) => endpoints.run(&client(&source)?, json).await,
            Command::Doctor => doctor::run(&source, json).await,
        }
    }
}

fn client(source: &Source) -> anyhow::Result<Client> {
    Ok(Client::new(Credentials::find(source)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
