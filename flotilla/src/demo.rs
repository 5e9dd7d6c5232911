//! `up --demo`: a bounded, realistic workload through the real API, judged by a receiver that verifies every signature.

mod groups;
mod receiver;
mod report;
mod submission;

use std::time::Duration;

use anyhow::Context;
use flotilla_client::{Client, Job, JobFilter, State};
use indicatif::{ProgressBar, ProgressStyle};
use settings::{Source, vars};
use tokio::time::Instant;

use groups::{Expected, GROUPS, Group};
use receiver::Receiver;

pub use report::Verdict;

/// How long the whole workload may take before it counts as stuck.
const DEADLINE: Duration = Duration::from_secs(180);
/// How often the jobs are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Rows of one page while looking.
const PAGE_ROWS: usize = 200;
/// Slots for the demo, unless a setting says otherwise: receivers are waited for, not computed.
const SLOTS: &str = "50";

/// A demo whose receiver listens already.
pub struct Demo {
    receiver: Receiver,
    /// Tells this run's jobs from those of earlier ones.
    tag: String,
}

impl Demo {
    pub async fn prepare() -> anyhow::Result<Self> {
        let receiver = Receiver::start().await.context("could not start the demo's receiver")?;
        let tag = format!("demo-{}-{}", std::process::id(), receiver.address().port());
        Ok(Self { receiver, tag })
    }

    /// The settings with what the demo needs: its queues, and leave to deliver to its receiver, which is on this machine.
    pub fn over(&self, source: Source) -> Source {
        let own = |var, value: String| match source.get(var) {
            Some(given) => format!("{given},{value}"),
            None => value,
        };
        let queues = own(&vars::QUEUES, groups::queues().join(","));
        let allow = own(&vars::WEBHOOKS_ALLOW, self.receiver.address().to_string());
        let slots = source.get(&vars::WORKER_SLOTS).unwrap_or(SLOTS).to_owned();
        source.with(&vars::QUEUES, queues).with(&vars::WEBHOOKS_ALLOW, allow).with(&vars::WORKER_SLOTS, slots)
    }
}

/// Submits, watches, judges. Prints a progress bar and a table.
pub async fn run(demo: Demo, client: Client) -> anyhow::Result<Verdict> {
    // Deliveries are signed by the demo's own endpoint, callbacks by the tenant's default one.
    for endpoint in [demo.tag.as_str(), kinds::DEFAULT_ENDPOINT] {
        demo.receiver.trust(endpoint_secret(&client, endpoint).await?.parse()?);
    }
    let started = Instant::now();
    let jobs: usize = GROUPS.iter().map(|group| group.jobs).sum();
    let bar = ProgressBar::new(u64::try_from(jobs)?);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} jobs ended  {per_sec}  {msg}")?);
    bar.set_message("submitting");
    submission::submit_all(&client, &demo).await?;
    bar.set_message("running");
    let ended = follow(&client, &demo, &bar).await?;
    demo.receiver.await_deliveries(groups::callbacks(), started + DEADLINE).await;
    bar.finish_and_clear();
    Ok(report::print(&ended, &demo.receiver.ledger(), started.elapsed()))
}

/// The signing secret of an endpoint, which is made unless it exists.
async fn endpoint_secret(client: &Client, name: &str) -> anyhow::Result<String> {
    let made = client.create_endpoint(name, None).await?.into_body();
    let secret = match made.secret {
        Some(secret) => Some(secret),
        None => client.endpoint_secret(name).await?.into_body().secret,
    };
    secret.context("an endpoint has a secret")
}

/// Looks at the run's jobs until all have ended; cancels the one that is to be cancelled as soon as it runs.
async fn follow(client: &Client, demo: &Demo, bar: &ProgressBar) -> anyhow::Result<Vec<Job>> {
    let deadline = Instant::now() + DEADLINE;
    let total = usize::try_from(bar.length().unwrap_or(0))?;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        let jobs = all_jobs(client, &demo.tag).await?;
        let ended = jobs.iter().filter(|job| job.finished_at.is_some()).count();
        bar.set_position(u64::try_from(ended)?);
        if ended >= total || Instant::now() >= deadline {
            return Ok(jobs);
        }
        for job in jobs.iter().filter(|job| job.state == State::Running && expects_cancel(job)) {
            client.cancel(job.id, Some("the demo cancels one while it runs")).await?;
        }
    }
}

fn expects_cancel(job: &Job) -> bool {
    Group::of(job).is_some_and(|group| group.expected == Expected::Cancelled) && !job.cancel_requested
}

async fn all_jobs(client: &Client, tag: &str) -> anyhow::Result<Vec<Job>> {
    let mut jobs = Vec::new();
    let mut pages = client.jobs_by(&JobFilter { tag: Some(tag.to_owned()), ..JobFilter::default() }, PAGE_ROWS);
    while let Some(page) = pages.next_page().await? {
        let is_last = page.scanned_until.is_some();
        jobs.extend(page.into_body().jobs);
        // A short page has looked past this run's jobs into older ones.
        if is_last {
            break;
        }
    }
    Ok(jobs)
}
