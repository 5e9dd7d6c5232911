//! A kind of your own, its handler, and a fleet that runs it: `cargo run --example own_worker`.
#![expect(clippy::print_stdout, reason = "an example shows what happened")]

use std::time::Duration;

use flotilla::{Fleet, FleetOptions};
use flotilla_client::NewJob;
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
    let job = client.submit(&NewJob::new("example.greet", &json!({ "name": "Ada" }))?).await?;
    let ended = client.wait(job.id, Duration::from_secs(60)).await?;
    let greeting = ended.result.as_ref().map(|result| result.get()).unwrap_or_default();
    anyhow::ensure!(greeting == "\"Hello, Ada!\"", "the job ended as {}", ended.text());
    println!("{greeting}");
    fleet.shutdown().await;
    Ok(())
}
