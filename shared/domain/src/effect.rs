//! External side effects and what is known of them (queue-core, *Effect ledger*).

use serde::{Deserialize, Serialize};

/// What is done about an effect whose outcome is unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectPolicy {
    /// Repeat it under the same key: the other side tells repeats from news.
    RepeatSameKey,
    /// Ask the other side whether it happened, then decide.
    Verify,
    /// Hold the job until a person resolves it. The default, because it is never wrong.
    #[default]
    Hold,
}

/// What the ledger says of an effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EffectState {
    /// About to be made by the present run; nothing had been tried, or the last try is known to have failed.
    Intent,
    /// Made; what the other side called it.
    Confirmed { handle: String },
    /// Tried by an earlier run; whether it happened is not known.
    Unknown,
}
