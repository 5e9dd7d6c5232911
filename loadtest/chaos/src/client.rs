//! How does a test ask a fleet? With a client that sends everything once, and shows each failure.

use std::time::Duration;

use flotilla_client::{Client, Error};
use serde_json::Value;
use tokio::time::interval;

/// How often a job that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A client of the producer at `url`.
pub fn client(url: &str, key: &str) -> Client {
    Client::builder(url).key(key).tries(1).build().expect("a client")
}

/// Looks at a job until it has ended. The caller sets the deadline.
pub async fn until_ended(client: &Client, id: &str) -> Result<Value, Error> {
    let mut looks = interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        let job = client.get(&format!("/v1/jobs/{id}"), &[]).await?.body;
        if !job["finished_at"].is_null() {
            return Ok(job);
        }
    }
}

/// Every job of the tenant that a filter lets through.
pub async fn jobs(client: &Client, query: &[(&str, &str)]) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = query.to_vec();
        query.push(("limit", "200"));
        if let Some(cursor) = &cursor {
            query.push(("cursor", cursor));
        }
        let page = client.get("/v1/jobs", &query).await.expect("listed").body;
        all.extend(page["jobs"].as_array().expect("a list").iter().cloned());
        match page["cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return all,
        }
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
