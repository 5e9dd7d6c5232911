//! A kind of your own, its handler, and a fleet that runs it: `cargo run --example own_worker`.
#![expect(clippy::print_stdout, reason = "an example shows what happened")]

use flotilla::{Fleet, FleetOptions};
use kinds::Kind;
use runtime::{Handler, JobContext, Registry};
use serde_json::json;
use settings::{Source, vars};

/// The payload; its schema is what the API checks submissions against.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Greet {
    name: String,
}

impl Kind for Greet {
    const NAME: &'static str = "example.greet";
    const QUEUE: &'static str = "greetings";
}

struct Greeter;

impl Handler<Greet> for Greeter {
    type Output = String;

    async fn run(&self, greet: Greet, cx: &JobContext) -> Result<String, domain::Failure> {
        tracing::info!(attempt = cx.attempt(), "greeting");
        Ok(format!("Hello, {}!", greet.name))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut registry = Registry::default();
    registry.add::<Greet, _>(Greeter)?;
    let directory = tempfile::tempdir()?;
    let source = Source::of(&[(&vars::LISTEN, "127.0.0.1:0")]).with(&vars::DATA_DIR, directory.path().display().to_string());
    flotilla::start_logs(&source)?;
    let fleet = Fleet::start(FleetOptions { source, registry }).await?;

    let client = fleet.client()?;
    let job = client.post("/v1/jobs", &json!({ "kind": "example.greet", "payload": { "name": "Ada" } })).await?.body;
    let ended = client.until_ended(job["id"].as_str().unwrap_or_default()).await?;
    anyhow::ensure!(ended["result"] == "Hello, Ada!", "the job ended as {ended:#}");
    println!("{}", ended["result"]);
    fleet.shutdown().await;
    Ok(())
}
