//! `flotilla jobs list`: jobs by filter, newest first.

use clap::Args;
use comfy_table::Cell;
use flotilla_client::{Client, Job, Time};

use super::filter::Filter;
use crate::cli::listing::Listing;
use crate::cli::say::Format;
use crate::cli::{Outcome, clock, table};

const MEMBER: &str = "jobs";

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    filter: Filter,
    /// Go on where an earlier list ended
    #[arg(long)]
    cursor: Option<String>,
    /// Rows; as many pages are asked for as it takes
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

impl List {
    pub async fn run(self, client: &Client, format: Format) -> anyhow::Result<Outcome> {
        let filter = self.filter.read();
        let limit = usize::try_from(self.limit)?;
        let jobs = Listing::gather(MEMBER, limit, self.cursor, |rows| client.jobs_by(&filter, rows)).await?;
        match format {
            Format::Json => jobs.say_json(MEMBER),
            Format::Text => {
                show(&jobs.items, clock::now());
                jobs.say_rest();
            }
        }
        Ok(Outcome::Done)
    }
}

fn show(jobs: &[Job], now: Time) {
    let head = ["ID", "KIND", "QUEUE", "PRIORITY", "STATE", "TRIES", "SUBMITTED", "NOTE"];
    table::show(&head, jobs.iter().map(|job| row(job, now)).collect(), "no jobs");
}

pub fn row(job: &Job, now: Time) -> Vec<Cell> {
    vec![
        table::text(job.id.to_string()),
        table::text(&job.kind),
        table::text(&job.queue),
        table::text(job.priority.as_str()),
        table::state(&job.state),
        table::text(format!("{}/{}", job.attempt, job.max_attempts)),
        table::text(clock::relative(job.created_at, now)),
        table::text(note(job, now)),
    ]
}

/// The one thing to know about a job that is not in its other columns.
fn note(job: &Job, now: Time) -> String {
    let code = job.error.as_ref().map(|error| error.code.as_str());
    let percent = job.progress.as_ref().map(|progress| progress.percent);
    match (&job.waiting_for, code, percent) {
        (Some(what), None, _) => format!("waits for {what}, {}", clock::relative(job.run_at, now)),
        (Some(what), Some(code), _) => format!("{code}; waits for {what}, {}", clock::relative(job.run_at, now)),
        (None, _, _) if job.cancel_requested && !job.state.is_end() => "asked to stop".to_owned(),
        (None, _, Some(percent)) if !job.state.is_end() => format!("{percent} %"),
        (None, Some(code), _) if !matches!(job.state, flotilla_client::State::Succeeded) => code.to_owned(),
        (None, _, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(members: &serde_json::Value) -> Job {
        let mut job = serde_json::json!({
            "id": "0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f", "kind": "mail.send", "queue": "mail", "priority": "high", "state": "queued",
            "attempt": 1, "max_attempts": 3, "created_at": "2026-11-20T09:55:00Z", "run_at": "2026-11-20T10:02:00Z",
        });
        job.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
        serde_json::from_value(job).expect("a job")
    }

    #[test]
    fn a_row_says_what_a_person_wants_to_know() {
        let now = clock::at("2026-11-20T10:00:00Z").expect("a time");
        let rows = [
            serde_json::json!({ "state": "waiting", "waiting_for": "retry", "error": { "code": "http_503" } }),
            serde_json::json!({ "state": "running", "progress": { "percent": 40 } }),
            serde_json::json!({ "state": "dead", "error": { "code": "http_400" } }),
            serde_json::json!({ "state": "running", "cancel_requested": true }),
        ];
        let rows = rows.iter().map(|members| row(&job(members), now)).collect();
        let shown = table::rendered(&["ID", "KIND", "QUEUE", "PRIORITY", "STATE", "TRIES", "SUBMITTED", "NOTE"], rows);
        let bare = anstream::adapter::strip_str(&shown).to_string();
        let lines: Vec<&str> = bare.lines().map(str::trim_end).collect();
        let start = "0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f  mail.send  mail   high     ";
        assert_eq!(lines[0], "ID                                    KIND       QUEUE  PRIORITY  STATE    TRIES  SUBMITTED  NOTE");
        let notes = ["waiting  1/3    5m ago     http_503; waits for retry, in 2m", "running  1/3    5m ago     40 %"];
        assert_eq!(lines[1..3], notes.map(|note| format!("{start} {note}")));
        assert!(lines[3].ends_with("http_400") && lines[4].ends_with("asked to stop"), "{bare}");
    }
}
