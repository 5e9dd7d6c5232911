//! What an operator chooses about RabbitMQ, and what the rest of the process provides.

use std::fmt;
use std::sync::Arc;

use broker::Ledger;
use domain::Timestamp;

/// The store's clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How RabbitMQ keeps class queues. Changing it means new queues: an existing queue keeps its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueueType {
    /// Replicated, and also faster on one node.
    #[default]
    Quorum,
    Classic,
}

impl QueueType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quorum => "quorum",
            Self::Classic => "classic",
        }
    }
}

/// Everything [`crate::RabbitBroker::open`] needs.
#[derive(Clone)]
pub struct RabbitOptions {
    /// `amqp://user:password@host:port/vhost`, or `amqps:`. A secret.
    pub url: String,
    pub queue_type: QueueType,
    /// The store's clock: hints carry the time at which they were published.
    pub clock: Clock,
    /// Told of what the broker confirmed, and of what it may have lost.
    pub ledger: Arc<dyn Ledger>,
    /// Looks every 15 s whether class queues have run empty, and tells the ledger. For schedulers.
    pub watches: bool,
    /// Shown to operators as the name of the connections.
    pub name: String,
    /// PEM certificates trusted besides those of the operating system.
    pub extra_ca: Option<String>,
}

impl fmt::Debug for RabbitOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitOptions")
            .field("url", &"***")
            .field("queue_type", &self.queue_type)
            .field("watches", &self.watches)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
