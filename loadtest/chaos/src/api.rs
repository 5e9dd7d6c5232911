//! What does the API say when something is wrong behind it? A status, a code, when to come again, and how long that took.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::process::Process;

/// Longer than any answer may take.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// An answer, as whoever asked saw it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Of a refusal.
    pub code: String,
    pub retry_after: Option<u64>,
    pub took: Duration,
    pub body: Value,
}

impl Answer {
    /// A refusal that says when to come again.
    pub fn is_refusal(&self, code: &str) -> bool {
        self.status == 503 && self.code == code && self.retry_after.is_some()
    }
}

/// A producer, and a key for it.
#[derive(Clone)]
pub struct Api {
    url: String,
    key: String,
}

impl Api {
    pub fn of(fleet: &Fleet, producer: &Process) -> Self {
        Self { url: producer.url(), key: fleet.key().to_owned() }
    }

    /// Submits a job under an idempotency key, once.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn submit(&self, job: &Value, key: &str) -> Answer {
        let request = http().post(self.url.clone() + "/v1/jobs").header("content-type", "application/json");
        answered(request.header("idempotency-key", key).bearer_auth(&self.key).body(job.to_string())).await
    }

    /// Asks for something.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Answer {
        answered(http().get(self.url.clone() + path).bearer_auth(&self.key)).await
    }
}

/// A delivery to `url`.
pub fn delivery(url: &str, data: &str) -> Value {
    json!({ "kind": "webhooks.deliver", "payload": { "url": url, "data": data } })
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(HANGS_AFTER).build().expect("a client")
}

async fn answered(request: reqwest::RequestBuilder) -> Answer {
    let begun = Instant::now();
    let answer = request.send().await.expect("answered");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body: Value = answer.json().await.expect("JSON");
    let retry_after = headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    Answer { status, code: body["code"].as_str().unwrap_or_default().to_owned(), retry_after, took: begun.elapsed(), body }
}
