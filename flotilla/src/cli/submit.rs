//! `flotilla submit`: one job in, and on request its end out.

use std::io::{IsTerminal, Read};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::{Outcome, say};
use crate::Client;

/// How often a watched job is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Submit a job and print its id.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flotilla submit webhooks.deliver --payload '{\"endpoint\":\"orders\",\"data\":{\"id\":7}}'
  flotilla submit webhooks.deliver --payload @delivery.json --priority high --delay 5m
  cat delivery.json | flotilla submit webhooks.deliver --payload - --watch")]
pub struct Submit {
    /// What kind of job
    kind: String,
    /// The payload: JSON, `@file`, or `-` for standard input
    #[arg(long, default_value = "{}", value_name = "JSON|@FILE|-")]
    payload: String,
    /// Where it waits [default: its kind's queue]
    #[arg(long)]
    queue: Option<String>,
    /// critical, high, normal, low or bulk
    #[arg(long)]
    priority: Option<String>,
    /// Start after this long, such as 90s, 5m or 2h
    #[arg(long, conflicts_with = "run_at")]
    delay: Option<String>,
    /// Start at this time (RFC 3339)
    #[arg(long)]
    run_at: Option<String>,
    /// Give up if not started by this time (RFC 3339)
    #[arg(long)]
    expires_at: Option<String>,
    /// Attempts before it is dead [default: its kind's]
    #[arg(long)]
    max_attempts: Option<u16>,
    /// How long one attempt may take [default: its kind's]
    #[arg(long)]
    timeout: Option<String>,
    /// A tag; may be given several times
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// A URL to be told when the job has ended
    #[arg(long)]
    callback_url: Option<String>,
    /// Submitting twice under one key makes one job
    #[arg(long)]
    idempotency_key: Option<String>,
    /// Follow the job to its end; exit with 1 unless it succeeded
    #[arg(long)]
    watch: bool,
}

impl Submit {
    pub async fn run(self, client: &Client, json: bool) -> anyhow::Result<Outcome> {
        let body = self.body()?;
        let job = client.post_text("/v1/jobs", body, self.idempotency_key.as_deref()).await?.body;
        let id = say::field(&job, "id");
        if !self.watch {
            if json {
                say::json(&job)
            } else {
                say::line(&id)
            }
            return Ok(Outcome::Done);
        }
        if !json {
            say::line(&format!("{id} {}", say::field(&job, "state")));
        }
        watch(client, &id, json).await
    }

    /// The request as text, with the payload exactly as it was given.
    fn body(&self) -> anyhow::Result<String> {
        let payload = self.payload_text()?;
        let fields = [
            ("kind", Some(json!(self.kind))),
            ("queue", self.queue.as_ref().map(|text| json!(text))),
            ("priority", self.priority.as_ref().map(|text| json!(text))),
            ("delay", self.delay.as_ref().map(|text| json!(text))),
            ("run_at", self.run_at.as_ref().map(|text| json!(text))),
            ("expires_at", self.expires_at.as_ref().map(|text| json!(text))),
            ("max_attempts", self.max_attempts.map(|number| json!(number))),
            ("timeout", self.timeout.as_ref().map(|text| json!(text))),
            ("tags", Some(json!(self.tags)).filter(|_| !self.tags.is_empty())),
            ("callback_url", self.callback_url.as_ref().map(|text| json!(text))),
        ];
        let fields = fields.into_iter().filter_map(|(name, value)| Some(format!("\"{name}\":{}", value?)));
        Ok(format!("{{{},\"payload\":{payload}}}", fields.collect::<Vec<_>>().join(",")))
    }

    fn payload_text(&self) -> anyhow::Result<String> {
        let text = match self.payload.as_str() {
            "-" => {
                anyhow::ensure!(
                    !std::io::stdin().is_terminal(),
                    "standard input is a terminal: pipe the payload in, or use --payload @file"
                );
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).context("could not read standard input")?;
                text
            }
            given => match given.strip_prefix('@') {
                Some(path) => std::fs::read_to_string(path).with_context(|| format!("could not read `{path}`"))?,
                None => given.to_owned(),
            },
        };
        serde_json::from_str::<serde::de::IgnoredAny>(&text).context("the payload is not JSON")?;
        Ok(text)
    }
}

/// Prints every change of state until the job has ended.
async fn watch(client: &Client, id: &str, json: bool) -> anyhow::Result<Outcome> {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let mut last = String::new();
    loop {
        looks.tick().await;
        let job = client.get(&format!("/v1/jobs/{id}"), &[]).await?.body;
        let now = line_of(&job);
        if now != last && !json {
            say::line(&now);
        }
        last = now;
        if !job["finished_at"].is_null() {
            if json {
                say::json(&job);
            } else if let Some(result) = job.get("result").filter(|result| !result.is_null()) {
                say::json(result);
            }
            return Ok(if job["state"] == "succeeded" { Outcome::Done } else { Outcome::NotWell });
        }
    }
}

fn line_of(job: &Value) -> String {
    let mut line = format!("{} {}", say::field(job, "id"), say::field(job, "state"));
    if !job["waiting_for"].is_null() {
        line += &format!(" for {} until {}", say::field(job, "waiting_for"), say::field(job, "run_at"));
    }
    if !job["error"].is_null() {
        let (error, hint) = (&job["error"], job["error"]["hint"].as_str());
        let (attempt, most) = (&job["attempt"], &job["max_attempts"]);
        line += &format!(" (attempt {attempt} of {most}: {}: {})", say::field(error, "code"), say::field(error, "message"));
        line += &hint.map_or_else(String::new, |hint| format!("\n  hint: {hint}"));
    }
    line
}
