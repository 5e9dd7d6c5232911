//! `flotilla jobs`: look at jobs, cancel them, run them again.

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Outcome, say};
use crate::Client;

#[derive(Debug, Subcommand)]
pub enum Jobs {
    /// List jobs, newest first
    #[command(after_help = "Example: flotilla jobs list --state dead --kind webhooks.deliver --limit 20")]
    List(List),
    /// Show a job with its timeline and logs
    Show { id: String },
    /// Cancel a job: at once, or when its handler stops
    Cancel {
        id: String,
        /// Why, for the audit log
        #[arg(long)]
        reason: Option<String>,
    },
    /// Run a dead, cancelled or expired job again
    Retry {
        id: String,
        /// Another payload: JSON or `@file`; its effects are then new ones
        #[arg(long, value_name = "JSON|@FILE")]
        payload: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct List {
    /// waiting, queued, running, succeeded, dead, cancelled or expired
    #[arg(long)]
    state: Option<String>,
    /// Jobs of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Jobs of this queue
    #[arg(long)]
    queue: Option<String>,
    /// Jobs with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Submitted after this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    created_after: Option<String>,
    /// Submitted before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    created_before: Option<String>,
    /// Go on where the last page ended
    #[arg(long)]
    cursor: Option<String>,
    /// Rows of the page, at most 200
    #[arg(long, default_value = "50")]
    limit: u16,
}

impl Jobs {
    pub async fn run(self, client: &Client, json: bool) -> anyhow::Result<Outcome> {
        match self {
            Self::List(list) => list.run(client, json).await?,
            Self::Show { id } => show(client, &id, json).await?,
            Self::Cancel { id, reason } => {
                let job = client.post(&format!("/v1/jobs/{id}/cancel"), &json!({ "reason": reason })).await?.body;
                acted(&job, "cancel requested: its handler is told within seconds", json);
            }
            Self::Retry { id, payload } => {
                let body = payload
                    .map(|text| payload_of(&text))
                    .transpose()?
                    .map_or_else(|| "{}".to_owned(), |text| format!("{{\"payload\":{text}}}"));
                let job = client.post_text(&format!("/v1/jobs/{id}/retry"), body, None).await?.body;
                acted(&job, "queued again", json);
            }
        }
        Ok(Outcome::Done)
    }
}

impl List {
    async fn run(self, client: &Client, json: bool) -> anyhow::Result<()> {
        let limit = self.limit.to_string();
        let given = [
            ("state", &self.state),
            ("kind", &self.kind),
            ("queue", &self.queue),
            ("tag", &self.tag),
            ("created_after", &self.created_after),
            ("created_before", &self.created_before),
            ("cursor", &self.cursor),
        ];
        let mut query: Vec<(&str, &str)> = given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
        query.push(("limit", &limit));
        let page = client.get("/v1/jobs", &query).await?.body;
        if json {
            say::json(&page);
            return Ok(());
        }
        let jobs = page["jobs"].as_array().map(Vec::as_slice).unwrap_or_default();
        let columns = ["id", "kind", "queue", "priority", "state", "attempt", "created_at"];
        let row = |job: &Value| columns.iter().map(|name| say::field(job, name)).chain([note(job)]).collect();
        say::table(&["ID", "KIND", "QUEUE", "PRIORITY", "STATE", "ATTEMPT", "CREATED", "NOTE"], jobs.iter().map(row).collect());
        if let Some(until) = page["scanned_until"].as_str() {
            say::line(&format!("looked back to {until}; older jobs were not looked at yet"));
        }
        if let Some(cursor) = page["cursor"].as_str() {
            say::line(&format!("more: --cursor {cursor}"));
        }
        Ok(())
    }
}

/// The one thing to know about a job that is not in its other columns.
fn note(job: &Value) -> String {
    match (job["waiting_for"].as_str(), job["error"]["code"].as_str()) {
        (Some(what), _) => format!("waits for {what}"),
        (None, Some(code)) => code.to_owned(),
        (None, None) => String::new(),
    }
}

async fn show(client: &Client, id: &str, json: bool) -> anyhow::Result<()> {
    let job = client.get(&format!("/v1/jobs/{id}"), &[]).await?.body;
    let timeline = client.get(&format!("/v1/jobs/{id}/timeline"), &[]).await?.body;
    let logs = client.get(&format!("/v1/jobs/{id}/logs"), &[]).await?.body;
    if json {
        say::json(&json!({ "job": job, "timeline": timeline["timeline"], "logs": logs["logs"] }));
        return Ok(());
    }
    let fields = job.as_object().context("a job is an object")?;
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    let shown = fields.iter().filter(|(_, value)| !value.is_null() && **value != json!([]) && **value != json!(false));
    shown.for_each(|(name, _)| say::line(&format!("{name:<width$}  {}", say::field(&job, name))));
    say::line("");
    let steps = timeline["timeline"].as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |step: &Value| ["at", "run", "from", "to", "waiting_for", "actor"].iter().map(|name| say::field(step, name)).collect();
    say::table(&["AT", "RUN", "FROM", "TO", "WAITS FOR", "BY"], steps.iter().map(row).collect());
    for attempt in logs["logs"].as_array().map(Vec::as_slice).unwrap_or_default() {
        say::line(&format!("\nlog of run {}", attempt["run"]));
        for line in attempt["lines"].as_array().map(Vec::as_slice).unwrap_or_default() {
            say::line(&format!("  {} {:<5} {}", say::field(line, "at"), say::field(line, "level"), say::field(line, "message")));
        }
        if let Some(output) = attempt["output"].as_str() {
            say::line(&format!("output of run {}\n{output}", attempt["run"]));
        }
    }
    Ok(())
}

fn acted(job: &Value, still_running: &str, json: bool) {
    if json {
        return say::json(job);
    }
    let state = say::field(job, "state");
    let words = if state == "running" { still_running } else { state.as_str() };
    say::line(&format!("{} {words}", say::field(job, "id")));
}

fn payload_of(given: &str) -> anyhow::Result<String> {
    let text = match given.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("could not read `{path}`"))?,
        None => given.to_owned(),
    };
    serde_json::from_str::<serde::de::IgnoredAny>(&text).context("the payload is not JSON")?;
    Ok(text)
}
