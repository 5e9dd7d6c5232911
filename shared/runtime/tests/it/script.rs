//! The kinds of tests: their payload says what the handler does.

use std::time::Duration;

use domain::EffectPolicy;
use kinds::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A job that does what its payload says, step by step: the first attempt the first step, and so on; the last one repeats.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Script {
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Succeed,
    Fail,
    RateLimited,
    Refuse,
    Panic,
    /// Until it is asked to stop; then it says so.
    Wait,
    /// Until it is aborted: it does not heed being asked.
    Hang,
    /// Until it is asked to stop; then it succeeds all the same.
    FinishAnyway,
    /// Makes the effect and confirms it, then fails.
    EffectThenFail,
    /// Makes the effect and does not know whether it happened, then fails.
    EffectUnknown,
    /// Makes the effect unless it is confirmed, then succeeds.
    Effect,
    /// Logs, reports progress and writes output.
    Talk,
    /// Until the test gives the cue; then it succeeds.
    OnCue,
    /// Until the test gives the cue; then it makes the effect and succeeds.
    EffectOnCue,
    /// Until it is asked to stop; then it makes the effect.
    EffectAfterStop,
    /// Reports progress, then fails.
    ReportThenFail,
    /// Reports progress, then refuses.
    ReportThenRefuse,
    /// Returns more than a result may have.
    Boast,
    /// Holds its thread until it is asked to stop; then it succeeds, unless that took for ever.
    Block,
    /// Until it is aborted, which it answers with a panic.
    PanicWhenDropped,
}

impl Kind for Script {
    const NAME: &'static str = "test.script";
    const QUEUE: &'static str = "test";
    const TIMEOUT: Duration = Duration::from_secs(60);
    const EFFECTS: EffectPolicy = EffectPolicy::RepeatSameKey;

    fn retry() -> domain::RetryPolicy {
        domain::RetryPolicy { backoff: domain::Backoff::Fixed { delay_ms: 0 }, stop: domain::Stop::Attempts }
    }
}

/// The same with effects that are held for a person.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Careful {
    pub steps: Vec<Step>,
}

impl Kind for Careful {
    const NAME: &'static str = "test.careful";
    const QUEUE: &'static str = "test";

    fn retry() -> domain::RetryPolicy {
        Script::retry()
    }
}

/// The same with effects whose outcome the other side can be asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    pub steps: Vec<Step>,
}

impl Kind for Checked {
    const NAME: &'static str = "test.checked";
    const QUEUE: &'static str = "test";
    const EFFECTS: EffectPolicy = EffectPolicy::Verify;

    fn retry() -> domain::RetryPolicy {
        Script::retry()
    }
}

/// Its result cannot be written down.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Unwritable {}

impl Kind for Unwritable {
    const NAME: &'static str = "test.unwritable";
    const QUEUE: &'static str = "test";
}

/// JSON has no place for it.
pub struct NotJson;

impl Serialize for NotJson {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("told to refuse"))
    }
}

/// The payload of a script.
pub fn payload(steps: &[Step]) -> String {
    serde_json::to_string(&Script { steps: steps.to_vec() }).expect("JSON")
}
