//! What a Rust type must say of itself to be a kind of job.

use std::time::Duration;

use domain::{EffectPolicy, KindInfo, KindName, QueueName, RetryPolicy};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// The payload of a kind of job, with the kind's name and defaults.
pub trait Kind: DeserializeOwned + JsonSchema + Send + 'static {
    /// `area.verb_noun`: `webhooks.deliver`.
    const NAME: &'static str;
    /// Where its jobs wait unless a submission says otherwise.
    const QUEUE: &'static str;
    const MAX_ATTEMPTS: u16 = 3;
    /// How long one attempt may take.
    const TIMEOUT: Duration = Duration::from_secs(60);
    /// What is done about an effect of unknown outcome.
    const EFFECTS: EffectPolicy = EffectPolicy::Hold;

    fn retry() -> RetryPolicy {
        RetryPolicy::default()
    }
}

/// What a worker registers of a kind.
///
/// # Panics
/// If the name or queue is no valid name: a mistake in the program, found at its start.
pub fn info_of<K: Kind>() -> KindInfo {
    KindInfo {
        name: KindName::of(K::NAME),
        queue: QueueName::of(K::QUEUE),
        schema: schemars::schema_for!(K).as_value().to_string().into(),
        max_attempts: K::MAX_ATTEMPTS,
        timeout: K::TIMEOUT,
        retry: K::retry(),
        effects: K::EFFECTS,
    }
}
