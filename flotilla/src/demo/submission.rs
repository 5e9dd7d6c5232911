//! Submits the demo's workload in batches, as an application would.

use serde_json::{Value, json};

use super::Demo;
use super::groups::{GROUPS, Group};
use crate::Client;

/// Jobs of one request.
const BATCH: usize = 500;

pub async fn submit_all(client: &Client, demo: &Demo) -> anyhow::Result<()> {
    for group in GROUPS {
        let jobs: Vec<Value> = (0..group.jobs).map(|n| job(demo, group, n)).collect();
        for (n, batch) in jobs.chunks(BATCH).enumerate() {
            let body = json!({ "jobs": batch }).to_string();
            // Sending it twice, should the first answer get lost, makes the jobs once.
            client.post_text("/v1/jobs/batch", body, Some(&format!("{}-{}-{n}", demo.tag, group.name))).await?;
        }
    }
    Ok(())
}

fn job(demo: &Demo, group: &Group, n: usize) -> Value {
    let base = format!("http://{}", demo.receiver.address());
    let data = json!({ "type": format!("demo.{}", group.name), "data": { "number": n } });
    let mut job = json!({
        "kind": "webhooks.deliver",
        "queue": group.queue,
        "priority": group.priorities[n % group.priorities.len()],
        "tags": [demo.tag, group.name],
        "payload": { "url": format!("{base}{}", group.path), "endpoint": demo.tag, "data": data },
    });
    if let Some(delay) = group.delay {
        job["delay"] = json!(domain::format_duration(delay));
    }
    if group.callback {
        job["callback_url"] = json!(format!("{base}/callback"));
    }
    job
}
