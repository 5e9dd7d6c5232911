//! What does a caller decide when it opens the store?

use std::time::Duration;

use domain::{Job, KindName, QueueName};
use kinds::{Deliver, Kind as _};
use settings::Secret;

/// How to open the distributed engine's store.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// `postgres://user:password@host:port/database?sslmode=…`; its `Debug` shows nothing.
    pub url: Secret,
    /// Which job tells a `callback_url` that its job has ended; `None`: nobody is told.
    pub callback: Option<CallbackKind>,
    /// Connections for reading, made when they are needed.
    pub readers: u32,
    /// How long a write may wait for its commit.
    pub write_deadline: Duration,
    /// How long a read may take, waiting for a connection included.
    pub read_deadline: Duration,
    /// The span of time whose jobs share a partition.
    pub partition_span: Duration,
}

impl PostgresOptions {
    pub fn new(url: Secret) -> Self {
        Self {
            url,
            callback: Some(CallbackKind::default()),
            readers: 4,
            write_deadline: Duration::from_secs(10),
            read_deadline: Duration::from_secs(5),
            partition_span: Duration::from_secs(86_400),
        }
    }
}

/// The kind of job that tells a `callback_url` that its job has ended.
#[derive(Clone, Debug)]
pub struct CallbackKind {
    pub kind: KindName,
    pub queue: QueueName,
    pub max_attempts: u16,
    pub timeout: Duration,
    /// Its payload, from the job as it ended.
    pub payload: fn(&Job) -> String,
}

impl Default for CallbackKind {
    fn default() -> Self {
        Self {
            kind: KindName::of(Deliver::NAME),
            queue: QueueName::of(Deliver::QUEUE),
            max_attempts: Deliver::MAX_ATTEMPTS,
            timeout: Deliver::TIMEOUT,
            payload: kinds::callback_payload,
        }
    }
}
