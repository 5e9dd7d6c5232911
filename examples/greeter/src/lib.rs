//! A kind of one's own, `example.greet`, and what runs it. Copy this crate to make yours.

use domain::Failure;
use kinds::Kind;
use runtime::{Handler, JobContext, Registry, RegistryError};

/// The payload. Its JSON Schema is what submissions are checked against.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Greet {
    name: String,
}

impl Kind for Greet {
    const NAME: &'static str = "example.greet";
    const QUEUE: &'static str = "greetings";
}

pub struct Greeter;

impl Handler<Greet> for Greeter {
    type Output = String;

    async fn run(&self, greet: Greet, cx: &JobContext) -> Result<String, Failure> {
        if greet.name.is_empty() {
            return Err(Failure::permanent("nobody", "there is nobody to greet"));
        }
        tracing::info!(attempt = cx.attempt(), "greeting somebody");
        cx.progress(100, None);
        Ok(format!("Hello, {}!", greet.name))
    }
}

/// Adds `example.greet` to what a worker runs.
///
/// # Errors
/// If it is there already.
pub fn register(registry: &mut Registry) -> Result<(), RegistryError> {
    registry.add::<Greet, _>(Greeter)
}
