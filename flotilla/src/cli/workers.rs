//! `flotilla workers`: who works.

use clap::Subcommand;
use flotilla_client::{Client, Worker};

use super::say::Format;
use super::{Outcome, clock, say, table};

#[derive(Debug, Subcommand)]
pub enum Workers {
    /// List worker processes; dead ones for a day
    #[command(after_help = "\
Examples:
  flotilla workers list
  flotilla workers list --json | jq '[.workers[] | select(.live)] | length'")]
    List,
}

impl Workers {
    pub async fn run(self, client: &Client, format: Format) -> anyhow::Result<Outcome> {
        let Self::List = self;
        let found = client.workers().await?;
        if format == Format::Json {
            say::json(found.text());
            return Ok(Outcome::Done);
        }
        let now = clock::now();
        let row = |worker: &Worker| {
            vec![
                table::text(worker.id.to_string()),
                table::text(&worker.name),
                table::text(format!("{}:{}", worker.host, worker.pid)),
                table::text(if worker.live { "alive" } else { "dead" }),
                table::text(format!("{}/{}", worker.running, worker.slots)),
                table::text(clock::relative_if(worker.lease_until, now)),
                table::text(&worker.version),
            ]
        };
        let head = ["ID", "NAME", "PROCESS", "STATE", "RUNNING", "LEASE UNTIL", "VERSION"];
        table::show(&head, found.workers.iter().map(row).collect(), "no workers: jobs wait until one starts");
        Ok(Outcome::Done)
    }
}
