//! What is the fleet made of: kinds, queues, workers; and is it well?

use serde::Deserialize;
use serde_json::Value;

use crate::call::Call;
use crate::{Answer, Client, Error, Id, Priority, Time};

/// What jobs of a kind carry, and how they are treated by default.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Kind {
    /// Its name: `webhooks.deliver`.
    pub name: String,
    /// Where its jobs wait.
    pub queue: String,
    /// Attempts before a job is dead.
    pub max_attempts: u32,
    /// How long one attempt may take, as the API writes it.
    pub timeout: String,
    /// When failed attempts are repeated.
    #[serde(default)]
    pub retry: Value,
    /// What happens to a job with an effect of unknown outcome.
    #[serde(default)]
    pub effects: Value,
    /// The JSON Schema of its payload.
    #[serde(default)]
    pub schema: Value,
}

/// Every kind that any worker ever registered.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Kinds {
    /// By name.
    pub kinds: Vec<Kind>,
}

/// A queue of all tenants.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Queued jobs.
    pub depth: u64,
    /// How long the first of them waits, as the API writes it.
    #[serde(default)]
    pub oldest_age: Option<String>,
    /// What it did of late.
    #[serde(default)]
    pub rates: Option<Rates>,
    /// The same for each priority, most important first.
    #[serde(default)]
    pub priorities: Vec<ClassView>,
}

/// A queue's jobs of one priority.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct ClassView {
    /// Which.
    pub priority: Priority,
    /// Queued jobs.
    pub depth: u64,
    /// How long the first of them waits, as the API writes it.
    #[serde(default)]
    pub oldest_age: Option<String>,
    /// What it did of late.
    #[serde(default)]
    pub rates: Option<Rates>,
}

/// The mean of the last five whole minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Rates {
    /// Jobs that succeeded.
    pub succeeded_per_minute: f64,
    /// Attempts that failed and are repeated.
    pub retried_per_minute: f64,
    /// Jobs that died.
    pub dead_per_minute: f64,
}

/// Every queue.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Queues {
    /// By name.
    pub queues: Vec<Queue>,
}

/// A worker process.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Worker {
    /// New after each time it lost its lease.
    pub id: Id,
    /// What it calls itself.
    pub name: String,
    /// Where it runs.
    pub host: String,
    /// As which process.
    pub pid: u32,
    /// Jobs at the same time.
    pub slots: u32,
    /// Of which release it is.
    pub version: String,
    /// Whether its lease holds.
    pub live: bool,
    /// Until when.
    #[serde(default)]
    pub lease_until: Option<Time>,
    /// Jobs that it runs.
    #[serde(default)]
    pub running: u64,
}

/// Live workers, and those that died within a day.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Workers {
    /// Each process.
    pub workers: Vec<Worker>,
}

/// How a server is.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Health {
    /// `ready`, `not_ready` or `stopping`.
    pub status: String,
    /// What it needs.
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
}

/// What a server needs.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Dependency {
    /// `store` or `broker`.
    pub name: String,
    /// `ok` or `unavailable`.
    pub state: String,
    /// Whether jobs cannot be taken in without it.
    #[serde(default)]
    pub required: bool,
    /// What is wrong with it.
    #[serde(default)]
    pub error: Option<String>,
}

impl Client {
    /// Every kind there is.
    ///
    /// # Errors
    /// As every call.
    pub async fn kinds(&self) -> Result<Answer<Kinds>, Error> {
        self.ask(&Call::get(&["v1", "kinds"])).await
    }

    /// One kind.
    ///
    /// # Errors
    /// `not_found`, and as every call.
    pub async fn kind(&self, name: &str) -> Result<Answer<Kind>, Error> {
        self.ask(&Call::get(&["v1", "kinds", name])).await
    }

    /// Every queue, with what waits in it.
    ///
    /// # Errors
    /// As every call.
    pub async fn queues(&self) -> Result<Answer<Queues>, Error> {
        self.ask(&Call::get(&["v1", "queues"])).await
    }

    /// One queue.
    ///
    /// # Errors
    /// `not_found`, and as every call.
    pub async fn queue(&self, name: &str) -> Result<Answer<Queue>, Error> {
        self.ask(&Call::get(&["v1", "queues", name])).await
    }

    /// The worker processes.
    ///
    /// # Errors
    /// As every call.
    pub async fn workers(&self) -> Result<Answer<Workers>, Error> {
        self.ask(&Call::get(&["v1", "workers"])).await
    }

    /// Whether the server can take jobs in. It is asked once: "no" is an answer.
    ///
    /// # Errors
    /// [`Error::Unexpected`] with status 503 when it is not ready, and as every call.
    pub async fn health(&self) -> Result<Answer<Health>, Error> {
        self.ask_once(&Call::get(&["health", "ready"])).await
    }
}
