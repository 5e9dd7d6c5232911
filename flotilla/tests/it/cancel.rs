//! How soon does a running job stop when it is cancelled? At once where its worker is told, a renewal later where it is not.

use std::time::Duration;

use domain::{Failure, FailureClass, Timestamp};
use flotilla::{Client, Fleet, FleetOptions};
use kinds::Kind;
use runtime::{Handler, JobContext, Registry};
use serde_json::{Value, json};
use settings::{Source, Var, vars};
use testkit::receiver::Receiver;
use testkit::servers::{self, PrivateRedis, Stop};
use testkit::{Scratch, eventually, skip};
use vault::WebhookSecret;

use crate::process::{Home, SOON};
use crate::servers::fresh_servers;

/// What is promised where nudges arrive, and where they do not: a renewal, and the time to do it.
const TOLD: Duration = Duration::from_millis(500);
const UNTOLD: Duration = Duration::from_secs(6);
/// By chance a renewal comes within [`TOLD`] once in ten times: that most of five were quick is no chance.
const JOBS: usize = 5;

/// Runs until it is told to stop, and then stops.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Wait {}

impl Kind for Wait {
    const NAME: &'static str = "test.wait";
    const QUEUE: &'static str = "waits";
}

struct Waiter;

impl Handler<Wait> for Waiter {
    type Output = ();

    async fn run(&self, _: Wait, cx: &JobContext) -> Result<(), Failure> {
        cx.cancelled().await;
        Err(Failure::new(FailureClass::Cancelled, "cancelled", "the handler was asked to stop"))
    }
}

/// A fleet in this process whose worker knows [`Wait`].
async fn fleet(source: Source, scratch: &Scratch) -> Fleet {
    let mut registry = Registry::default();
    registry.add::<Wait, _>(Waiter).expect("one handler");
    let source = source.with(&vars::LISTEN, "127.0.0.1:0").with(&vars::DATA_DIR, scratch.join("data").display().to_string());
    Fleet::start(FleetOptions { source, registry }).await.expect("starts")
}

/// Cancels running jobs one after the other, and returns how long each took to stop by the store's clock, the quickest first.
async fn stops(client: &Client) -> Vec<Duration> {
    let mut took = Vec::new();
    for _ in 0..JOBS {
        let job = client.post("/v1/jobs", &json!({ "kind": "test.wait", "payload": {} })).await.expect("accepted").body;
        let path = format!("/v1/jobs/{}", job["id"].as_str().expect("an id"));
        let state = async || client.get(&path, &[]).await.expect("answered").body["state"] == "running";
        eventually("it runs", SOON, state).await;
        client.post(&format!("{path}/cancel"), &json!({ "reason": "it takes too long" })).await.expect("asked");
        took.push(eventually("it has stopped", SOON, async || stopped(client, &path).await).await);
    }
    took.sort_unstable();
    took
}

/// From the wish to the end, as the job's timeline has it.
async fn stopped(client: &Client, path: &str) -> Result<Duration, Value> {
    let timeline = client.get(&format!("{path}/timeline"), &[]).await.expect("answered").body;
    let at = |to: &str| -> Option<Timestamp> {
        let steps = timeline["timeline"].as_array()?;
        steps.iter().find(|step| step["from"] == "running" && step["to"] == to)?["at"].as_str()?.parse().ok()
    };
    match (at("running"), at("cancelled")) {
        (Some(asked), Some(ended)) => Ok(ended.since(asked)),
        _ => Err(timeline),
    }
}

fn all_were_told(took: &[Duration]) {
    assert!(took[JOBS / 2] <= TOLD && took[JOBS - 1] <= UNTOLD, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_one_process_a_cancelled_job_stops_at_once() {
    let scratch = Scratch::new();
    let fleet = fleet(Source::default(), &scratch).await;
    all_were_told(&stops(&fleet.client().expect("a client")).await);
    assert!(fleet.shutdown().await.clean);
}

/// The wish comes to a producer, and the job runs elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_another_process_a_cancelled_job_stops_at_once() {
    let servers = fresh_servers!();
    across(servers.settings(), async |client| all_were_told(&stops(client).await)).await;
}

/// Nobody is told, and everybody looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_a_cancelled_job_stops_within_a_renewal() {
    let servers = fresh_servers!();
    let Some(redis) = PrivateRedis::start().await else { skip!("redis", servers::HOW) };
    let mut settings = servers.settings();
    settings.retain(|(name, _)| *name != vars::REDIS_URL.name);
    settings.push((vars::REDIS_URL.name, redis.url()));
    across(settings, async |client| {
        redis.stop(Stop::AtOnce).await;
        let took = stops(client).await;
        assert!(took[JOBS - 1] <= UNTOLD, "{took:?}");
        assert!(took[JOBS - 1] > TOLD, "somebody was told all the same: {took:?}");
    })
    .await;
}

/// A receiver that trusts the tenant's default endpoint.
pub async fn judge(client: &Client) -> Receiver {
    let made = client.post("/v1/webhook_endpoints", &json!({ "name": "default" })).await.expect("made").body;
    let secret: WebhookSecret = made["secret"].as_str().expect("shown").parse().expect("a secret");
    Receiver::with_secret(secret).await
}

/// A fleet in this process, and a producer in another on the same servers, whose client is passed on.
async fn across(settings: Vec<(&'static str, String)>, test: impl AsyncFnOnce(&Client)) {
    let scratch = Scratch::new();
    let var = |name: &str| -> &'static Var {
        let all = [&vars::DATABASE_URL, &vars::BROKER_URL, &vars::REDIS_URL, &vars::SECRET_KEY];
        all.into_iter().find(|var| var.name == name).expect("a setting of servers")
    };
    let source = settings.iter().fold(Source::default(), |source, (name, value)| source.with(var(name), value.clone()));
    let fleet = fleet(source, &scratch).await;
    let home = settings.into_iter().fold(Home::new(), |home, (name, value)| home.with(name, value));
    let producer = home.role("producer").await;
    test(&home.client_of(&producer)).await;
    producer.stop().await;
    assert!(fleet.shutdown().await.clean);
}
