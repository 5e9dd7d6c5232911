//! Submits the demo's workload in batches, as an application would.

use flotilla_client::{Client, NewJob, Priority};
use serde_json::json;

use super::Demo;
use super::groups::{GROUPS, Group};

/// Jobs of one request.
const BATCH: usize = 500;

pub async fn submit_all(client: &Client, demo: &Demo) -> anyhow::Result<()> {
    for group in GROUPS {
        let jobs: Vec<NewJob> = (0..group.jobs).map(|n| job(demo, group, n)).collect::<Result<_, _>>()?;
        for (n, batch) in jobs.chunks(BATCH).enumerate() {
            // Sending it twice, should the first answer get lost, makes the jobs once.
            client.submit_batch(batch, Some(&format!("{}-{}-{n}", demo.tag, group.name))).await?;
        }
    }
    Ok(())
}

fn job(demo: &Demo, group: &Group, n: usize) -> anyhow::Result<NewJob> {
    let base = format!("http://{}", demo.receiver.address());
    let data = json!({ "type": format!("demo.{}", group.name), "data": { "number": n } });
    let payload = json!({ "url": format!("{base}{}", group.path), "endpoint": demo.tag, "data": data });
    let priority = Priority::from(group.priorities[n % group.priorities.len()]);
    let mut job = NewJob::new("webhooks.deliver", &payload)?.queue(group.queue).priority(priority).tag(&demo.tag).tag(group.name);
    if let Some(delay) = group.delay {
        job = job.delay(delay);
    }
    if group.callback {
        job = job.callback_url(format!("{base}/callback"));
    }
    Ok(job)
}
