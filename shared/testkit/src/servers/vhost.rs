//! What does the broker itself say about a test's queues? Asked through the management API, beside the client under test.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use private_servers::http::segment;
use serde::Deserialize;
use serde_json::{Value, json};

use super::rabbit::Admin;
use crate::eventually;

/// How long a queue may refuse a message.
const TAKES_WITHIN: Duration = Duration::from_secs(10);

/// A virtual host that belongs to one test; deleted on drop, with its queues and connections.
pub struct Vhost {
    name: String,
    /// Its name as a part of a path.
    segment: String,
    url: String,
    admin: Admin,
    goes: bool,
}

/// A queue, as the broker describes it. Its counts lag behind by up to a second: wait for them with `eventually`.
#[derive(Debug, Clone, Deserialize)]
pub struct Queue {
    pub name: String,
    /// `classic` or `quorum`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// All messages, ready and unacknowledged; `None` until the broker has counted.
    pub messages: Option<u64>,
    pub messages_ready: Option<u64>,
    pub messages_unacknowledged: Option<u64>,
    pub consumers: Option<u64>,
    #[serde(default)]
    pub durable: bool,
    #[serde(default)]
    pub arguments: Value,
}

/// A consumer, as the broker describes it.
#[derive(Debug, Clone)]
pub struct Consumer {
    pub queue: String,
    pub tag: String,
    pub prefetch: u64,
}

/// A message that was taken out of a queue.
#[derive(Debug, Clone)]
pub struct Message {
    pub body: Vec<u8>,
    pub exchange: String,
    pub routing_key: String,
    pub redelivered: bool,
    /// As the API has them: `message_id`, `headers`, `delivery_mode`, …
    pub properties: Value,
}

impl Vhost {
    pub(super) async fn create(name: String, url: String, user: &str, admin: Admin) -> Self {
        let vhost = Self { segment: segment(&name), name, url, admin, goes: true };
        vhost.ask("PUT", format!("/api/vhosts/{}", vhost.segment), None).await;
        let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
        vhost.ask("PUT", format!("/api/permissions/{}/{}", vhost.segment, segment(user)), Some(all)).await;
        vhost
    }

    /// One that is there by itself.
    pub(super) fn that_stays(name: &str, url: String, admin: Admin) -> Self {
        Self { segment: segment(name), name: name.to_owned(), url, admin, goes: false }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// `amqp://…/<name>`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    pub async fn queues(&self) -> Vec<Queue> {
        let found = self.ask("GET", format!("/api/queues/{}", self.segment), None).await.unwrap_or_default();
        serde_json::from_value(found).unwrap_or_else(|error| panic!("the broker's list of queues is not understood: {error}"))
    }

    /// One queue; `None` when it does not exist.
    pub async fn queue(&self, name: &str) -> Option<Queue> {
        self.queues().await.into_iter().find(|queue| queue.name == name)
    }

    /// Whether there was one.
    pub async fn delete_queue(&self, name: &str) -> bool {
        self.ask("DELETE", self.path_of(name, ""), None).await.is_some()
    }

    /// Removes what is ready; whether there was such a queue.
    pub async fn purge(&self, name: &str) -> bool {
        self.ask("DELETE", self.path_of(name, "/contents"), None).await.is_some()
    }

    /// Takes up to `count` messages out of a queue.
    ///
    /// # Panics
    /// When there is no such queue.
    pub async fn get(&self, queue: &str, count: usize) -> Vec<Message> {
        self.messages(queue, count, "ack_requeue_false").await
    }

    /// Looks at up to `count` messages of a queue, which stay in it.
    ///
    /// # Panics
    /// When there is no such queue.
    pub async fn peek(&self, queue: &str, count: usize) -> Vec<Message> {
        self.messages(queue, count, "ack_requeue_true").await
    }

    async fn messages(&self, queue: &str, count: usize, ackmode: &str) -> Vec<Message> {
        let wish = json!({"count": count, "ackmode": ackmode, "encoding": "base64"});
        let found = self.ask("POST", self.path_of(queue, "/get"), Some(wish)).await;
        let Some(Value::Array(messages)) = found else { panic!("there is no queue `{queue}`") };
        messages.iter().map(message).collect()
    }

    /// Publishes anything, also what our clients never would; the exchange `""` takes a queue's name as key. Whether it was routed.
    ///
    /// # Panics
    /// When there is no such exchange.
    pub async fn publish_raw(&self, exchange: &str, routing_key: &str, body: &[u8], properties: Value) -> bool {
        let name = if exchange.is_empty() { "amq.default" } else { exchange };
        let message =
            json!({"properties": properties, "routing_key": routing_key, "payload": STANDARD.encode(body), "payload_encoding": "base64"});
        let path = format!("/api/exchanges/{}/{}/publish", self.segment, segment(name));
        // A quorum queue that was made this moment has no leader yet, and takes nothing.
        let publish = async || self.admin.try_ask("POST", path.clone(), Some(message.clone())).await;
        let answer = eventually("the broker takes the message", TAKES_WITHIN, publish).await;
        answer.unwrap_or_else(|| panic!("there is no exchange `{exchange}`"))["routed"] == true
    }

    pub async fn consumers(&self) -> Vec<Consumer> {
        let found = self.ask("GET", format!("/api/consumers/{}", self.segment), None).await.unwrap_or_default();
        found.as_array().into_iter().flatten().map(consumer).collect()
    }

    /// The names of the open connections.
    pub async fn connections(&self) -> Vec<String> {
        let found = self.ask("GET", format!("/api/vhosts/{}/connections", self.segment), None).await.unwrap_or_default();
        found.as_array().into_iter().flatten().map(|connection| text(&connection["name"])).collect()
    }

    /// Closes them as an operator does, and returns how many there were. One that was opened this moment may not be listed yet.
    pub async fn close_all_connections(&self) -> usize {
        let names = self.connections().await;
        for name in &names {
            self.ask("DELETE", format!("/api/connections/{}", segment(name)), None).await;
        }
        names.len()
    }

    /// Any other question to the management API; what is not there is `None`.
    ///
    /// # Panics
    /// When the broker does not answer in time, or refuses.
    pub async fn ask(&self, method: &'static str, path: String, body: Option<Value>) -> Option<Value> {
        self.admin.ask(method, path, body).await
    }

    fn path_of(&self, queue: &str, tail: &str) -> String {
        format!("/api/queues/{}/{}{tail}", self.segment, segment(queue))
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        if self.goes {
            self.admin.tell("DELETE", format!("/api/vhosts/{}", self.segment));
        }
    }
}

fn message(found: &Value) -> Message {
    let payload = text(&found["payload"]);
    let body = match found["payload_encoding"].as_str() {
        Some("base64") => STANDARD.decode(&payload).unwrap_or_else(|error| panic!("a payload is not base64: {error}")),
        _ => payload.into_bytes(),
    };
    Message {
        body,
        exchange: text(&found["exchange"]),
        routing_key: text(&found["routing_key"]),
        redelivered: found["redelivered"] == true,
        properties: found["properties"].clone(),
    }
}

fn consumer(found: &Value) -> Consumer {
    Consumer {
        queue: text(&found["queue"]["name"]),
        tag: text(&found["consumer_tag"]),
        prefetch: found["prefetch_count"].as_u64().unwrap_or_default(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
