//! `flotilla audit`: who did what.

use clap::{Args, Subcommand};
use flotilla_client::{AuditFilter, AuditRow, Client};

use super::listing::Listing;
use super::say::Format;
use super::{Outcome, clock, table};

const MEMBER: &str = "audit";

#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List what operators did, newest first
    #[command(after_help = "\
Examples:
  flotilla audit list --action job.cancel
  flotilla audit list --target 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f
  flotilla audit list --actor ci --limit 500 --json")]
    List(List),
}

#[derive(Debug, Args)]
pub struct List {
    /// By whom
    #[arg(long)]
    actor: Option<String>,
    /// What, such as job.cancel
    #[arg(long)]
    action: Option<String>,
    /// On what: an id or a name
    #[arg(long)]
    target: Option<String>,
    /// Of another tenant than your own; needs scope admin
    #[arg(long)]
    tenant: Option<String>,
    /// Go on where an earlier list ended
    #[arg(long)]
    cursor: Option<String>,
    /// Rows; as many pages are asked for as it takes
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

impl Audit {
    pub async fn run(self, client: &Client, format: Format) -> anyhow::Result<Outcome> {
        let Self::List(List { actor, action, target, tenant, cursor, limit }) = self;
        let filter = AuditFilter { actor, action, target, tenant };
        let found = Listing::gather(MEMBER, usize::try_from(limit)?, cursor, |rows| client.audit(&filter, rows)).await?;
        if format == Format::Json {
            found.say_json(MEMBER);
            return Ok(Outcome::Done);
        }
        let now = clock::now();
        let row = |row: &AuditRow| {
            vec![
                table::text(clock::relative(row.at, now)),
                table::text(&row.actor),
                table::text(&row.action),
                table::text(&row.target),
                table::text(&row.request_id),
                table::text(row.data.as_ref().map_or_else(String::new, ToString::to_string)),
            ]
        };
        table::show(&["WHEN", "BY", "DID", "TO", "REQUEST", "WHAT"], found.items.iter().map(row).collect(), "nobody did anything");
        found.say_rest();
        Ok(Outcome::Done)
    }
}
