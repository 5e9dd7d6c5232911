//! A program of one's own on the fleet: its kind, its handler, and what the handler logs.

use flotilla::{Fleet, FleetOptions};
use kinds::Kind;
use runtime::{Handler, JobContext, Registry};
use serde_json::json;
use settings::{Source, vars};
use testkit::Scratch;

use crate::process::{SOON, until_ended};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Add {
    numbers: Vec<i64>,
}

impl Kind for Add {
    const NAME: &'static str = "test.add";
    const QUEUE: &'static str = "sums";
}

struct Adder;

impl Handler<Add> for Adder {
    type Output = i64;

    async fn run(&self, add: Add, cx: &JobContext) -> Result<i64, domain::Failure> {
        tracing::info!(count = add.numbers.len(), "adding");
        cx.progress(100, None);
        Ok(add.numbers.iter().sum())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_of_ones_own_is_validated_run_and_heard() {
    let scratch = Scratch::new();
    let mut registry = Registry::default();
    registry.add::<Add, _>(Adder).expect("one handler");
    let source = Source::of(&[(&vars::LISTEN, "127.0.0.1:0")]).with(&vars::DATA_DIR, scratch.join("data").display().to_string());
    flotilla::start_logs(&source).expect("set up once");
    let fleet = Fleet::start(FleetOptions { source, registry }).await.expect("starts");
    let client = fleet.client().expect("a client");
    let refused = client.post("/v1/jobs", &json!({ "kind": "test.add", "payload": { "numbers": "one" } })).await.expect_err("refused");
    assert!(refused.to_string().contains("invalid_payload"), "{refused}");
    let job = client.post("/v1/jobs", &json!({ "kind": "test.add", "payload": { "numbers": [1, 2, 39] } })).await.expect("accepted").body;
    assert_eq!(job["queue"], "sums");
    let id = job["id"].as_str().expect("an id");
    let ended = testkit::within("it ends", SOON, until_ended(&client, id)).await.expect("answered");
    assert_eq!((&ended["state"], &ended["result"], &ended["progress"]["percent"]), (&json!("succeeded"), &json!(42), &json!(100)));
    let logs = client.get(&format!("/v1/jobs/{id}/logs"), &[]).await.expect("answered").body;
    assert_eq!(logs["logs"][0]["lines"][0]["message"], "adding count=3", "{logs:#}");
    assert!(fleet.shutdown().await.clean);
}
