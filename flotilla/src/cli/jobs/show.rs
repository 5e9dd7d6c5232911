//! `flotilla jobs show`, `result`, `timeline` and `logs`: everything about one job.

use std::time::Duration;

use clap::Args;
use flotilla_client::{AttemptLogs, Client, Id, Job, Outcome as Left, Step, Time};

use super::id;
use crate::cli::say::Format;
use crate::cli::{Outcome, clock, say, table};

#[derive(Debug, Args)]
pub struct Wanted {
    /// The job's id
    #[arg(value_parser = id)]
    id: Id,
    /// Wait so long for its end
    #[arg(long, value_name = "DURATION", value_parser = domain::parse_duration)]
    wait: Option<Duration>,
}

impl Wanted {
    pub async fn run(self, client: &Client, _: Format) -> anyhow::Result<Outcome> {
        if let Some(within) = self.wait {
            client.wait(self.id, within).await?;
        }
        Ok(match client.result(self.id).await?.into_body() {
            Left::Ready(result) => {
                say::json(result.get());
                Outcome::Done
            }
            Left::NotYet(state) => {
                say::aside(&format!("there is no result yet: the job is {state}\n  hint: --wait 5m waits for it"));
                Outcome::NotYet
            }
        })
    }
}

pub async fn whole(client: &Client, id: Id, format: Format) -> anyhow::Result<Outcome> {
    let (job, timeline, logs) = tokio::try_join!(client.job(id), client.timeline(id), client.logs(id))?;
    match format {
        Format::Json => {
            let member = |text: &str, name: &str| {
                let members: std::collections::HashMap<String, Box<serde_json::value::RawValue>> = serde_json::from_str(text)?;
                Ok::<_, serde_json::Error>(members.get(name).map_or_else(|| "null".to_owned(), |value| value.get().to_owned()))
            };
            let (timeline, logs) = (member(timeline.text(), "timeline")?, member(logs.text(), "logs")?);
            say::json(&format!("{{\"job\":{},\"timeline\":{timeline},\"logs\":{logs}}}", job.text()));
        }
        Format::Text => {
            let now = clock::now();
            fields(&job, now).iter().for_each(|(name, value)| say::line(&format!("{name:<14}{}", say::plain(value))));
            for (name, value) in [("payload", &job.payload), ("result", &job.result)] {
                if let Some(value) = value {
                    say::line(&format!("{name}\n{}", say::indented(value.get())));
                }
            }
            say::line("");
            say_timeline(&timeline.timeline, now);
            logs.logs.iter().for_each(say_attempt);
        }
    }
    Ok(Outcome::Done)
}

pub async fn timeline(client: &Client, id: Id, format: Format) -> anyhow::Result<Outcome> {
    let timeline = client.timeline(id).await?;
    match format {
        Format::Json => say::json(timeline.text()),
        Format::Text => say_timeline(&timeline.timeline, clock::now()),
    }
    Ok(Outcome::Done)
}

pub async fn logs(client: &Client, id: Id, format: Format) -> anyhow::Result<Outcome> {
    let logs = client.logs(id).await?;
    match format {
        Format::Json => say::json(logs.text()),
        Format::Text if logs.logs.is_empty() => say::aside("nothing was written"),
        Format::Text => logs.logs.iter().for_each(say_attempt),
    }
    Ok(Outcome::Done)
}

/// What there is to say, one line each.
fn fields(job: &Job, now: Time) -> Vec<(&'static str, String)> {
    let time = |time: Time| format!("{} ({})", time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true), clock::relative(time, now));
    let waiting = job.waiting_for.as_ref().map_or_else(String::new, |what| format!(" for {what}"));
    let mut fields = vec![
        ("id", job.id.to_string()),
        ("kind", job.kind.clone()),
        ("queue", format!("{} ({})", job.queue, job.priority)),
        ("state", format!("{}{waiting}{}", job.state, if job.cancel_requested { ", asked to stop" } else { "" })),
        ("attempt", format!("{} of {}", job.attempt, job.max_attempts)),
        ("tenant", job.tenant.clone()),
        ("created_at", time(job.created_at)),
        ("run_at", time(job.run_at)),
    ];
    let progress = job
        .progress
        .as_ref()
        .map(|progress| format!("{} % {}", progress.percent, progress.message.as_deref().unwrap_or_default()).trim_end().to_owned());
    let error = job.error.as_ref().map(|error| format!("{}: {}", error.code, error.message));
    let hint = job.error.as_ref().and_then(|error| error.hint.clone());
    let perhaps = [
        ("started_at", job.started_at.map(time)),
        ("finished_at", job.finished_at.map(time)),
        ("expires_at", job.expires_at.map(time)),
        ("worker", job.worker.map(|worker| worker.to_string())),
        ("crashes", (job.crashes > 0).then(|| job.crashes.to_string())),
        ("progress", progress),
        ("error", error),
        ("hint", hint),
        ("tags", (!job.tags.is_empty()).then(|| job.tags.join(", "))),
        ("group", job.group.clone()),
        ("callback_url", job.callback_url.clone()),
        ("timeout", job.timeout.clone()),
        ("trace_id", Some(job.trace_id.clone())),
    ];
    fields.extend(perhaps.into_iter().filter_map(|(name, value)| Some((name, value?))));
    fields
}

fn say_timeline(steps: &[Step], now: Time) {
    let row = |step: &Step| {
        vec![
            table::text(clock::relative(step.at, now)),
            table::number(step.run),
            table::maybe(step.from.as_ref().map(|from| from.as_str())),
            table::state(&step.to),
            table::maybe(step.waiting_for.as_ref().map(|what| what.as_str())),
            table::text(&step.actor),
            table::text(step.data.as_ref().map_or_else(String::new, ToString::to_string)),
        ]
    };
    table::show(&["WHEN", "RUN", "FROM", "TO", "WAITS FOR", "BY", "WHAT"], steps.iter().map(row).collect(), "nothing happened");
}

fn say_attempt(attempt: &AttemptLogs) {
    say::line(&format!("\nlog of run {}", attempt.run));
    for line in &attempt.lines {
        let at = line.at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        say::line(&format!("  {at} {:<5} {}", say::plain(&line.level), say::plain(&line.message)));
    }
    if let Some(output) = &attempt.output {
        say::line(&format!("output of run {}\n{}", attempt.run, say::plain(output)));
    }
}
