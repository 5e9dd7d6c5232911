//! `flotilla operations`: acts on many jobs, and how far they are.

use std::time::Duration;

use clap::Subcommand;
use comfy_table::Cell;
use flotilla_client::{Answer, Client, Id, Operation, OperationState, Time};
use indicatif::{ProgressBar, ProgressStyle};

use super::jobs::id;
use super::say::Format;
use super::{Outcome, clock, say, table};

/// How often an operation that is followed is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Subcommand)]
pub enum Operations {
    /// List the latest, newest first
    #[command(after_help = "\
Example:
  flotilla operations list")]
    List,
    /// Show one
    #[command(after_help = "\
Examples:
  flotilla operations show 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f --watch")]
    Show {
        /// The operation's id
        #[arg(value_parser = id)]
        id: Id,
        /// Follow it to its end; exit with 1 unless it succeeded
        #[arg(long)]
        watch: bool,
    },
}

impl Operations {
    pub async fn run(self, client: &Client, format: Format) -> anyhow::Result<Outcome> {
        match self {
            Self::List => {
                let found = client.operations().await?;
                match format {
                    Format::Json => say::json(found.text()),
                    Format::Text => {
                        let now = clock::now();
                        let rows = found.operations.iter().map(|operation| row(operation, now)).collect();
                        table::show(&["ID", "ACT", "STATE", "DONE", "SKIPPED", "BY", "BEGAN", "REASON"], rows, "no operations");
                    }
                }
                Ok(Outcome::Done)
            }
            Self::Show { id, watch: true } => follow(client, id, format).await,
            Self::Show { id, watch: false } => {
                let operation = client.operation(id).await?;
                say_one(&operation, format);
                Ok(Outcome::Done)
            }
        }
    }
}

/// What is said about an operation that has just begun.
pub async fn begun(client: &Client, operation: Answer<Operation>, watch: bool, format: Format) -> anyhow::Result<Outcome> {
    match (watch, format) {
        (true, _) => return follow(client, operation.id, format).await,
        (false, Format::Json) => say::json(operation.text()),
        (false, Format::Text) => {
            say::line(&operation.id.to_string());
            say::aside(&format!("it goes on by itself; to follow it: flotilla operations show {} --watch", operation.id));
        }
    }
    Ok(Outcome::Done)
}

/// Looks at it until it is over: a moving line on a terminal, a line for each change elsewhere.
async fn follow(client: &Client, id: Id, format: Format) -> anyhow::Result<Outcome> {
    let moves = format == Format::Text && say::on_terminal();
    let spinner = if moves { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    spinner.set_style(ProgressStyle::with_template("{spinner} {msg}")?);
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let mut last = String::new();
    loop {
        looks.tick().await;
        let operation = client.operation(id).await?;
        let is_over = is_over(&operation);
        let now = match format {
            Format::Json => operation.text().to_owned(),
            Format::Text => progress_line(&operation),
        };
        if moves && !is_over {
            spinner.set_message(say::plain(&now));
            spinner.tick();
        } else if now != last {
            spinner.finish_and_clear();
            // Its end is what the exit code tells, whether somebody reads the lines or not.
            let _ = if format == Format::Json { say::json_piece(&now) } else { say::piece(&format!("{}\n", say::plain(&now))) };
        }
        last = now;
        if is_over {
            return Ok(if operation.state == OperationState::Succeeded { Outcome::Done } else { Outcome::NotWell });
        }
    }
}

fn is_over(operation: &Operation) -> bool {
    operation.finished_at.is_some() || matches!(operation.state, OperationState::Succeeded | OperationState::Halted)
}

fn progress_line(operation: &Operation) -> String {
    let Operation { action, state, looked_at, done, skipped, canary, error, .. } = operation;
    let canary = match (state, canary) {
        (OperationState::Canary, Some(first)) => format!(" (the first {first} are on their way)"),
        _ => String::new(),
    };
    let error = error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
    format!("{action} {state}{canary}: {done} done, {skipped} skipped of {looked_at} looked at{error}")
}

fn row(operation: &Operation, now: Time) -> Vec<Cell> {
    vec![
        table::text(operation.id.to_string()),
        table::text(&operation.action),
        table::operation_state(&operation.state),
        table::number(operation.done),
        table::number(operation.skipped),
        table::text(&operation.actor),
        table::text(clock::relative(operation.created_at, now)),
        table::maybe(operation.reason.as_ref()),
    ]
}

fn say_one(operation: &Answer<Operation>, format: Format) {
    if format == Format::Json {
        return say::json(operation.text());
    }
    let now = clock::now();
    let mut fields = vec![("id", operation.id.to_string()), ("progress", progress_line(operation))];
    fields.extend(operation.rest.iter().filter_map(|(name, value)| {
        let name = ["filter", "ids", "dead_letters", "priority", "run_at"].into_iter().find(|known| known == name)?;
        Some((name, value.to_string()))
    }));
    fields.extend([
        ("reason", operation.reason.clone().unwrap_or_default()),
        ("by", operation.actor.clone()),
        ("began", clock::relative(operation.created_at, now)),
        ("ended", clock::relative_if(operation.finished_at, now)),
    ]);
    fields.iter().for_each(|(name, value)| say::line(&format!("{name:<14}{}", say::plain(value))));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(members: &serde_json::Value) -> Operation {
        let mut operation = serde_json::json!({
            "id": "0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f", "action": "retry", "state": "running", "looked_at": 500, "done": 480,
            "skipped": 20, "created_at": "2026-11-20T09:55:00Z",
        });
        operation.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
        serde_json::from_value(operation).expect("an operation")
    }

    #[test]
    fn a_line_says_how_far_it_is() {
        let said = |members| progress_line(&operation(&members));
        assert_eq!(said(serde_json::json!({})), "retry running: 480 done, 20 skipped of 500 looked at");
        let canary = said(serde_json::json!({ "state": "canary", "canary": 5, "looked_at": 5, "done": 5, "skipped": 0 }));
        assert_eq!(canary, "retry canary (the first 5 are on their way): 5 done, 0 skipped of 5 looked at");
        let halted = serde_json::json!({ "state": "halted", "error": "job x is dead" });
        assert!(said(halted.clone()).ends_with("looked at: job x is dead") && is_over(&operation(&halted)));
    }
}
