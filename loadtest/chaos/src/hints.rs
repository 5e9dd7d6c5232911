//! What is sent to the broker? Recorded by the broker itself (its firehose tracer), and read from the bytes that `broker-rabbitmq`
//! documents.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::servers::{Message, Vhost};

/// The queue of the class that deliveries wait in unless they ask for another priority.
pub const CLASS_QUEUE: &str = "flotilla.v1.webhooks.p2";
const TAP: &str = "tap";
/// Messages that one question takes from the tap.
const PORTION: usize = 2_000;

/// Hints that were published.
#[derive(Debug, Default)]
pub struct Hints {
    pub messages: usize,
    pub emissions: BTreeSet<String>,
    pub jobs: BTreeSet<String>,
}

impl Hints {
    fn add(&mut self, message: &Message) {
        let traced = &message.properties["headers"];
        assert_eq!(traced["routing_keys"], json!([CLASS_QUEUE]), "{message:?}");
        self.messages += 1;
        self.emissions.insert(traced["properties"]["message_id"].as_str().expect("an emission's id").to_owned());
        self.jobs.extend(jobs_in(&message.body));
    }
}

/// The jobs that a hint names.
pub fn jobs_in(body: &[u8]) -> Vec<String> {
    let [1, _priority, length, rest @ ..] = body else { panic!("not a hint: {body:?}") };
    let ids = &rest[usize::from(*length)..];
    assert!(!ids.is_empty() && ids.len() % 16 == 0, "not a hint: {body:?}");
    ids.chunks(16).map(uuid).collect()
}

/// How many jobs the hints in the queue name, with repeats. A look counts as a delivery of each.
pub async fn hinted(vhost: &Vhost) -> usize {
    vhost.peek(CLASS_QUEUE, PORTION).await.iter().map(|message| jobs_in(&message.body).len()).sum()
}

/// From now on, the broker keeps a copy of whatever is published.
pub async fn tap(vhost: &Vhost) {
    let path = |middle: &str, tail: &str| format!("/api/{middle}/%2F/{tail}");
    assert_eq!(vhost.name(), "/");
    vhost.ask("PUT", path("queues", TAP), Some(json!({"durable": true, "arguments": {"x-queue-type": "classic"}}))).await;
    vhost.ask("POST", path("bindings", &format!("e/amq.rabbitmq.trace/q/{TAP}")), Some(json!({"routing_key": "publish.#"}))).await;
    trace(vhost, true).await;
}

/// What was published since, and no more copies.
pub async fn tapped(vhost: &Vhost) -> Hints {
    trace(vhost, false).await;
    let mut hints = Hints::default();
    loop {
        let portion = vhost.get(TAP, PORTION).await;
        if portion.is_empty() {
            return hints;
        }
        portion.iter().for_each(|message| hints.add(message));
    }
}

async fn trace(vhost: &Vhost, tracing: bool) {
    let _: Option<Value> = vhost.ask("PUT", "/api/vhosts/%2F".to_owned(), Some(json!({"tracing": tracing}))).await;
}

fn uuid(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
