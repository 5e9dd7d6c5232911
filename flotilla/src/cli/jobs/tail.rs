//! `flotilla jobs tail`: a job's events as they happen, to its end.

use clap::Args;
use flotilla_client::{Client, Event, Id, Job, State};

use super::id;
use crate::cli::say::{Format, Readers};
use crate::cli::{Outcome, clock, say};

#[derive(Debug, Args)]
pub struct Tail {
    /// The job's id
    #[arg(value_parser = id)]
    id: Id,
    /// Begin after this event: `<run>-<number>`, as `--json` prints them
    #[arg(long, value_name = "EVENT")]
    after: Option<String>,
}

impl Tail {
    pub async fn run(self, client: &Client, format: Format) -> anyhow::Result<Outcome> {
        let mut watch = match self.after {
            Some(event) => client.watch(self.id).after(event),
            None => client.watch(self.id),
        };
        let mut last = None;
        // Output comes in pieces, which may end within a line.
        let mut within_line = false;
        while let Some(event) = watch.next().await? {
            let readers = match format {
                Format::Json => say::json_piece(&line_of(&event, watch.place(), watch.said())),
                Format::Text => {
                    let (text, is_open) = told(&event, within_line);
                    within_line = is_open;
                    say::piece(&text)
                }
            };
            // Nobody has seen it end well.
            if readers == Readers::Left {
                return Ok(Outcome::NotWell);
            }
            if let Event::State(job) = event {
                last = Some(job.state);
            }
        }
        Ok(if last == Some(State::Succeeded) { Outcome::Done } else { Outcome::NotWell })
    }
}

/// One object: what, the place to resume from, and what the server said.
fn line_of(event: &Event, id: Option<&str>, said: &str) -> String {
    let id = serde_json::to_string(&id).unwrap_or_default();
    // Events were read from JSON; its line breaks, if any, would end the line.
    let said = said.replace('\n', " ");
    format!("{{\"event\":\"{}\",\"id\":{id},\"data\":{said}}}", name(event))
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::State(_) => "state",
        Event::Progress(_) => "progress",
        Event::Output { .. } => "output",
        Event::Log { .. } => "log",
        Event::Gap => "gap",
        _ => "other",
    }
}

/// An event for people, and whether its last line is still open.
fn told(event: &Event, within_line: bool) -> (String, bool) {
    let line = match event {
        Event::Output { text, .. } => return (say::plain(text), !text.ends_with('\n')),
        Event::State(job) => format!("\u{1b}[1m{}\u{1b}[0m", say::plain(&state_line(job))),
        Event::Progress(progress) => {
            let message = progress.message.as_deref().unwrap_or_default();
            format!("{:>3} % {}", progress.percent, say::plain(message)).trim_end().to_owned()
        }
        Event::Log { level, message, .. } => format!("{:<5} {}", say::plain(level), say::plain(message)),
        Event::Gap => "… some events are gone".to_owned(),
        _ => return (String::new(), within_line),
    };
    (format!("{}{line}\n", if within_line { "\n" } else { "" }), false)
}

/// Where a job is in its life, in a line; and why its last attempt failed.
pub fn state_line(job: &Job) -> String {
    let mut line = format!("{} {}", job.id, job.state);
    if let Some(what) = &job.waiting_for {
        line += &format!(" for {what}, {}", clock::relative(job.run_at, clock::now()));
    }
    if let (Some(error), false) = (&job.error, job.state == State::Succeeded) {
        line += &format!(" (attempt {} of {}: {}: {})", job.attempt, job.max_attempts, error.code, error.message);
        line += &error.hint.as_ref().map_or_else(String::new, |hint| format!("\n  hint: {hint}"));
    }
    line
}
