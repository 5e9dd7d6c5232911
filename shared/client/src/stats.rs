//! The numbers of the overview: how much is there, how much was done?

use serde::Deserialize;

use crate::call::Call;
use crate::new_job::text_of;
use crate::{Answer, Client, Error, Time};

/// The fleet of late.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Stats {
    /// By the store's clock.
    pub at: Time,
    /// How far back it goes, as the API writes it.
    pub window: String,
    /// Who works.
    #[serde(default)]
    pub workers: Staff,
    /// Jobs on workers.
    #[serde(default)]
    pub running: u64,
    /// Jobs that could be on workers.
    #[serde(default)]
    pub queued: u64,
    /// How long the first of those waits, as the API writes it.
    #[serde(default)]
    pub oldest_age: Option<String>,
    /// What was done.
    #[serde(default)]
    pub totals: Totals,
    /// The same by queue.
    #[serde(default)]
    pub queues: Vec<Totals>,
    /// The same by kind.
    #[serde(default)]
    pub kinds: Vec<Totals>,
    /// The same by minute.
    #[serde(default)]
    pub minutes: Vec<Minute>,
}

/// Who works.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Staff {
    /// Workers whose lease holds.
    pub live: u64,
    /// Jobs they may run at the same time.
    pub slots: u64,
}

/// What was done.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Totals {
    /// Of which queue or kind; empty for all.
    #[serde(alias = "queue", alias = "kind")]
    pub name: String,
    /// Jobs that succeeded.
    pub succeeded: u64,
    /// Attempts that failed and are repeated.
    pub retried: u64,
    /// Jobs that died.
    pub dead: u64,
    /// How long a successful run took, as the API writes it.
    pub mean_run: Option<String>,
    /// How long a job waited before it, as the API writes it.
    pub mean_wait: Option<String>,
}

/// What was done in one minute.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Minute {
    /// Its beginning.
    pub minute: Time,
    /// Jobs that succeeded.
    #[serde(default)]
    pub succeeded: u64,
    /// Attempts that failed and are repeated.
    #[serde(default)]
    pub retried: u64,
    /// Jobs that died.
    #[serde(default)]
    pub dead: u64,
}

impl Client {
    /// The numbers of the last `window`, from 5 minutes to a day.
    ///
    /// # Errors
    /// As every call.
    pub async fn stats(&self, window: std::time::Duration) -> Result<Answer<Stats>, Error> {
        self.ask(&Call::get(&["v1", "stats"]).query([("window", text_of(window))])).await
    }
}
