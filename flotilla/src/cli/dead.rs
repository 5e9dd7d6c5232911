//! `flotilla dead`: what died, of what, and running it again.

use clap::{Args, Subcommand};
use comfy_table::Cell;
use flotilla_client::{Client, DeadFilter, DeadGroup, DeadLetter, Id, Replayed, Time};

use super::jobs::id;
use super::listing::Listing;
use super::outcome::Usage;
use super::say::Format;
use super::{Outcome, clock, confirm, operations, say, table};

const MEMBER: &str = "dead_letters";
/// As many as the API shows.
const GROUPS_MAX: usize = 200;

#[derive(Debug, Subcommand)]
pub enum Dead {
    /// List dead jobs, newest first
    #[command(after_help = "\
Examples:
  flotilla dead list --code http_500
  flotilla dead list --fingerprint 5f0c6d1e --limit 200 --json | jq -r '.dead_letters[].job_id'")]
    List {
        #[command(flatten)]
        filter: Filter,
        /// Go on where an earlier list ended
        #[arg(long)]
        cursor: Option<String>,
        /// Rows; as many pages are asked for as it takes
        #[arg(long, default_value = "50", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Group dead jobs by what they died of
    #[command(after_help = "\
Examples:
  flotilla dead groups
  flotilla dead groups --queue webhooks --dead-after 1d")]
    Groups(Filter),
    /// Run dead jobs again: these, or those that a filter lets through
    #[command(after_help = "\
Examples:
  flotilla dead replay 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f --reason 'receiver is back'
  flotilla dead replay --fingerprint 5f0c6d1e --canary 5 --reason 'mended in 1.4.2' --watch

With --canary N, N jobs go first; the rest follows only when all of those succeeded.")]
    Replay(Replay),
}

#[derive(Debug, Args)]
pub struct Filter {
    /// Of this queue
    #[arg(long)]
    queue: Option<String>,
    /// Of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Of this error, as `flotilla dead groups` names it
    #[arg(long)]
    fingerprint: Option<String>,
    /// With this code of their error
    #[arg(long)]
    code: Option<String>,
    /// Died after this time (RFC 3339), or less than this long ago, such as 2h
    #[arg(long, value_name = "TIME|AGO", value_parser = clock::past)]
    dead_after: Option<Time>,
    /// Died before this time (RFC 3339), or longer ago than this, such as 2h
    #[arg(long, value_name = "TIME|AGO", value_parser = clock::past)]
    dead_before: Option<Time>,
}

#[derive(Debug, Args)]
pub struct Replay {
    /// The jobs' ids, instead of a filter
    #[arg(value_name = "ID", value_parser = id)]
    ids: Vec<Id>,
    #[command(flatten)]
    filter: Filter,
    /// Why, for the audit log
    #[arg(long)]
    reason: String,
    /// So many first, and the rest only when all of those succeeded
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    canary: Option<u32>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Follow it to its end; exit with 1 unless it succeeded
    #[arg(long)]
    watch: bool,
}

impl Dead {
    pub async fn run(self, client: &Client, format: Format) -> anyhow::Result<Outcome> {
        match self {
            Self::List { filter, cursor, limit } => {
                let filter = filter.read();
                let rows = |rows| client.dead_letters(&filter, rows);
                let found = Listing::gather(MEMBER, usize::try_from(limit)?, cursor, rows).await?;
                match format {
                    Format::Json => found.say_json(MEMBER),
                    Format::Text => {
                        let now = clock::now();
                        let rows = found.items.iter().map(|dead| row(dead, now)).collect();
                        table::show(&["ID", "KIND", "QUEUE", "TRIES", "DIED", "CODE", "MESSAGE"], rows, "no dead jobs");
                        found.say_rest();
                    }
                }
                Ok(Outcome::Done)
            }
            Self::Groups(filter) => {
                let found = client.dead_groups(&filter.read(), GROUPS_MAX).await?;
                match format {
                    Format::Json => say::json(found.text()),
                    Format::Text => {
                        let now = clock::now();
                        let rows = found.groups.iter().map(|group| group_row(group, now)).collect();
                        table::show(&["COUNT", "KIND", "CODE", "LAST", "FIRST", "FINGERPRINT", "MESSAGE"], rows, "no dead jobs");
                    }
                }
                Ok(Outcome::Done)
            }
            Self::Replay(replay) => replay.run(client, format).await,
        }
    }
}

impl Filter {
    fn read(self) -> DeadFilter {
        let Self { queue, kind, fingerprint, code, dead_after, dead_before } = self;
        DeadFilter { queue, kind, fingerprint, reason: code, dead_after, dead_before }
    }
}

impl Replay {
    async fn run(self, client: &Client, format: Format) -> anyhow::Result<Outcome> {
        let Self { ids, filter, reason, canary, yes, watch } = self;
        let filter = filter.read();
        let which = match (ids.is_empty(), filter.is_empty()) {
            (false, false) => return Err(Usage("name jobs or a filter, not both".to_owned()).into()),
            (true, true) => {
                let hint = "name jobs, or at least one filter such as --code or --fingerprint; for all: --dead-before 0s";
                return Err(Usage(format!("this would run every dead job again\n  hint: {hint}")).into());
            }
            (false, true) => {
                let operation = client.replay(&Replayed::Ids(ids), canary, &reason).await?;
                return operations::begun(client, operation, watch, format).await;
            }
            (true, false) => {
                if !yes {
                    confirm::sure(&how_many(client, &filter).await?, yes)?;
                }
                Replayed::Filter(filter)
            }
        };
        let operation = client.replay(&which, canary, &reason).await?;
        operations::begun(client, operation, watch, format).await
    }
}

/// What a person should know before saying yes.
async fn how_many(client: &Client, filter: &DeadFilter) -> anyhow::Result<String> {
    let groups = client.dead_groups(filter, GROUPS_MAX).await?.into_body().groups;
    let many: u64 = groups.iter().map(|group| group.count).sum();
    let least = if groups.len() >= GROUPS_MAX { "at least " } else { "" };
    Ok(format!("{least}{many} dead {} again", if many == 1 { "job runs" } else { "jobs run" }))
}

fn row(dead: &DeadLetter, now: Time) -> Vec<Cell> {
    vec![
        table::text(dead.job_id.to_string()),
        table::text(&dead.kind),
        table::text(&dead.queue),
        table::number(dead.attempts),
        table::text(clock::relative(dead.at, now)),
        table::text(&dead.reason),
        table::text(&dead.message),
    ]
}

fn group_row(group: &DeadGroup, now: Time) -> Vec<Cell> {
    vec![
        table::number(group.count),
        table::text(&group.kind),
        table::text(&group.reason),
        table::text(clock::relative(group.last_at, now)),
        table::text(clock::relative(group.first_at, now)),
        table::text(&group.fingerprint),
        table::text(&group.message),
    ]
}
