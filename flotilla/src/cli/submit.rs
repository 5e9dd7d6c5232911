//! `flotilla submit`: jobs in, and on request a job's end out.

mod batch;

use std::time::Duration;

use clap::Args;
use flotilla_client::{Answer, Client, Event, Id, Job, NewJob, Priority, State, Time};

use super::jobs::{priorities, state_line};
use super::say::Format;
use super::{Outcome, clock, payload, say};

/// Submit a job and print its id.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flotilla submit webhooks.deliver --payload '{\"endpoint\":\"orders\",\"data\":{\"id\":7}}'
  flotilla submit webhooks.deliver --payload @delivery.json --priority high --delay 5m
  cat delivery.json | flotilla submit webhooks.deliver --payload - --watch
  flotilla submit --batch @jobs.ndjson

A batch has one submission a line: {\"kind\":\"webhooks.deliver\",\"payload\":{…}}.
Up to 10 000 lines and 16 MiB are one request, all or none.")]
pub struct Submit {
    /// What kind of job
    #[arg(required_unless_present = "batch")]
    kind: Option<String>,
    /// The payload: JSON, `@FILE`, or `-` for standard input
    #[arg(long, default_value = "{}", value_name = "JSON|@FILE|-")]
    payload: String,
    /// Where it waits [default: its kind's queue]
    #[arg(long)]
    queue: Option<String>,
    /// Its share while all workers are busy
    #[arg(long, value_parser = priorities())]
    priority: Option<Priority>,
    /// Start after this long, such as 90s, 5m or 2h
    #[arg(long, value_name = "DURATION", conflicts_with = "run_at", value_parser = domain::parse_duration)]
    delay: Option<Duration>,
    /// Start at this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::at)]
    run_at: Option<Time>,
    /// Give up if not started by this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::at)]
    expires_at: Option<Time>,
    /// Attempts before it is dead [default: its kind's]
    #[arg(long, value_name = "NUMBER")]
    max_attempts: Option<u16>,
    /// How long one attempt may take [default: its kind's]
    #[arg(long, value_name = "DURATION", value_parser = domain::parse_duration)]
    timeout: Option<Duration>,
    /// A tag; may be given several times
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// While a job with this key is there, further ones get that one
    #[arg(long, value_name = "KEY")]
    unique: Option<String>,
    /// With --unique: for this long, instead of until that job ends
    #[arg(long, value_name = "DURATION", requires = "unique", value_parser = domain::parse_duration)]
    unique_for: Option<Duration>,
    /// A group, which is kept and shown
    #[arg(long)]
    group: Option<String>,
    /// A URL to be told when the job has ended
    #[arg(long, value_name = "URL")]
    callback_url: Option<String>,
    /// Submitting twice under one key makes one job (or one batch)
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Follow the job to its end; exit with 1 unless it succeeded
    #[arg(long)]
    watch: bool,
    /// Many jobs instead: a file with one submission a line, `@FILE` or `-`
    #[arg(long, value_name = "@FILE|-", conflicts_with_all = [
        "kind", "payload", "queue", "priority", "delay", "run_at", "expires_at", "max_attempts", "timeout", "tags", "unique", "group",
        "callback_url", "watch",
    ])]
    batch: Option<String>,
}

impl Submit {
    pub async fn run(self, client: &Client, format: Format) -> anyhow::Result<Outcome> {
        if let Some(given) = &self.batch {
            return batch::submit(client, &payload::text(given)?, self.idempotency_key.as_deref(), format).await;
        }
        let watched = self.watch;
        let job = client.submit(&self.job()?).await?;
        if watched {
            return watch(client, &job, format).await;
        }
        match format {
            Format::Json => say::json(job.text()),
            Format::Text => say::line(&job.id.to_string()),
        }
        if job.unique_conflict && format == Format::Text {
            say::aside("another job has this unique key: it is that one");
        }
        Ok(Outcome::Done)
    }

    fn job(self) -> anyhow::Result<NewJob> {
        let text = payload::json(&self.payload)?;
        let mut job = NewJob::with_json(self.kind.unwrap_or_default(), text)?;
        job = give(job, self.queue, NewJob::queue);
        job = give(job, self.priority, NewJob::priority);
        job = give(job, self.delay, NewJob::delay);
        job = give(job, self.run_at, NewJob::run_at);
        job = give(job, self.expires_at, NewJob::expires_at);
        job = give(job, self.max_attempts, NewJob::max_attempts);
        job = give(job, self.timeout, NewJob::timeout);
        job = self.tags.into_iter().fold(job, NewJob::tag);
        job = give(job, self.unique, |job, key| job.unique(key, self.unique_for));
        job = give(job, self.group, NewJob::group);
        job = give(job, self.callback_url, NewJob::callback_url);
        Ok(give(job, self.idempotency_key, NewJob::idempotency_key))
    }
}

fn give<T>(job: NewJob, value: Option<T>, set: impl FnOnce(NewJob, T) -> NewJob) -> NewJob {
    match value {
        Some(value) => set(job, value),
        None => job,
    }
}

/// Prints every change of state until the job has ended, and then what it left.
async fn watch(client: &Client, job: &Answer<Job>, format: Format) -> anyhow::Result<Outcome> {
    let id: Id = job.id;
    let mut watch = client.watch(id);
    while let Some(event) = watch.next().await? {
        if let (Event::State(job), Format::Text) = (&event, format) {
            // Its end is what the exit code tells, whether somebody reads the lines or not.
            let _ = say::piece(&format!("{}\n", say::plain(&state_line(job))));
        }
    }
    let ended = client.job(id).await?;
    let _ = match (format, &ended.result) {
        (Format::Json, _) => say::json_piece(ended.text()),
        (Format::Text, Some(result)) => say::piece(&format!("{}\n", say::indented(result.get()))),
        (Format::Text, None) => say::piece(""),
    };
    Ok(if ended.state == State::Succeeded { Outcome::Done } else { Outcome::NotWell })
}
