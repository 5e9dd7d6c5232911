//! `flotilla kinds`: what jobs there can be, and what their payloads look like.

use clap::Subcommand;
use flotilla_client::{Client, Kind};

use super::say::Format;
use super::{Outcome, say, table};

#[derive(Debug, Subcommand)]
pub enum Kinds {
    /// List every kind that any worker ever registered
    #[command(after_help = "\
Example:
  flotilla kinds list")]
    List,
    /// Show a kind with the JSON Schema of its payload
    #[command(after_help = "\
Examples:
  flotilla kinds show webhooks.deliver
  flotilla kinds show webhooks.deliver --json | jq .schema")]
    Show {
        /// The kind's name
        name: String,
    },
}

impl Kinds {
    pub async fn run(self, client: &Client, format: Format) -> anyhow::Result<Outcome> {
        match self {
            Self::List => {
                let found = client.kinds().await?;
                match format {
                    Format::Json => say::json(found.text()),
                    Format::Text => {
                        let row = |kind: &Kind| {
                            let Kind { name, queue, max_attempts, timeout, .. } = kind;
                            vec![table::text(name), table::text(queue), table::number(max_attempts), table::text(timeout)]
                        };
                        let rows = found.kinds.iter().map(row).collect();
                        table::show(&["KIND", "QUEUE", "TRIES", "TIMEOUT"], rows, "no kinds: no worker has registered yet");
                    }
                }
            }
            Self::Show { name } => {
                let kind = client.kind(&name).await?;
                match format {
                    Format::Json => say::json(kind.text()),
                    Format::Text => say_one(&kind),
                }
            }
        }
        Ok(Outcome::Done)
    }
}

fn say_one(kind: &Kind) {
    let Kind { name, queue, max_attempts, timeout, retry, effects, schema, .. } = kind;
    let fields = [
        ("name", name.clone()),
        ("queue", queue.clone()),
        ("max_attempts", max_attempts.to_string()),
        ("timeout", timeout.clone()),
        ("retry", retry.to_string()),
        ("effects", effects.to_string()),
    ];
    fields.iter().for_each(|(name, value)| say::line(&format!("{name:<14}{}", say::plain(value))));
    say::line(&format!("schema\n{}", say::indented(&schema.to_string())));
}
