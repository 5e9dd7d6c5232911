//! `broker` is the port through which hints about queued jobs travel to workers. It does not know what a job is,
//! and nothing is lost when it forgets everything: the store decides, the broker hints (I1).

mod buffers;
#[cfg(feature = "contract")]
pub mod contract;
mod dead_letter;
mod delivery;
mod embedded;
mod strides;

use async_trait::async_trait;
use domain::{Class, ClassMark, DeadNotice, Emission, EmissionId, JobId, Pace, QueueName, Timestamp, Unsent};

pub use buffers::Buffers;
pub use dead_letter::{DeadContent, DeadLetter, DeadLetters};
pub use delivery::{Answer, Delivery, Receipt};
pub use embedded::EmbeddedBroker;
pub use strides::{Pass, Strides};

/// The broker could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Not reachable or not answering within its deadline. The emissions stay unconfirmed and are re-sent.
    #[error("the broker is unavailable while {doing}")]
    Unavailable {
        doing: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It answers, and does not let us: a person must act. The sentence says what is missing and what mends it, and holds no secret.
    #[error("{0}")]
    Refused(String),
    /// The subscription was closed: this process is stopping.
    #[error("the subscription is closed")]
    Closed,
}

/// A class that may lack hints about jobs that are queued in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    pub class: Class,
    /// How many ids it can take now.
    pub room: usize,
    /// Given back to [`Publisher::refilled`], so that a lack that arose meanwhile is not forgotten.
    pub generation: u64,
}

/// The sending side.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Makes sure that these queues exist, in all five classes. Repeating it is harmless.
    async fn declare(&self, queues: &[QueueName]) -> Result<(), BrokerError>;

    /// Hands over emissions, and returns the ids of those that were taken. The others were refused (its class, or what waits
    /// to be sent, is full) and will show up as a [`Lack`] or stay unconfirmed in the ledger. Where the broker is another
    /// process, taken means "on its way": what arrived is told to the [`Ledger`]. Never waits for the broker.
    async fn publish(&self, emissions: &[Emission]) -> Result<Vec<EmissionId>, BrokerError>;

    /// Classes that may lack hints and have room for them: after a start, a loss, or a refusal.
    async fn lacks(&self) -> Result<Vec<Lack>, BrokerError>;

    /// Everything that was queued when `lack` was reported has been published.
    async fn refilled(&self, lack: &Lack);

    /// Tells operators and other systems of jobs that died, at least once each. Returns those that were told.
    async fn announce(&self, notices: &[DeadNotice]) -> Result<Vec<JobId>, BrokerError>;
}

/// What a broker outside this process reports about emissions; the ledger's side. Called from the adapter's own tasks: must not block.
pub trait Ledger: Send + Sync {
    /// The broker has confirmed this message, published at `at`.
    fn confirmed(&self, emission: EmissionId, at: Timestamp);

    /// The broker may not hold these any more.
    fn doubt(&self, unsent: Unsent);
}

/// The receiving side of one worker process.
#[async_trait]
pub trait Subscriber: Send + Sync {
    /// Waits for hints and takes up to `ids_max` ids, drawn from the classes by weight 16:8:4:2:1 without
    /// starvation; a class that was idle comes first. At least one id, unless `Closed`. Dropping the future loses nothing.
    async fn take(&self, ids_max: usize) -> Result<Vec<Delivery>, BrokerError>;

    /// Ends the subscription: waiting and later calls of `take` return `Closed`.
    fn close(&self);

    /// How far each class has come, for the reconciliation of ledger and broker. Empty where there is no ledger.
    fn marks(&self) -> Vec<ClassMark>;

    /// How long jobs of a queue take, which decides how many hints are held ready.
    fn pace(&self, pace: &Pace);
}

/// Which queues a worker draws from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscription {
    /// Every queue that is declared, now or later.
    All,
    Queues(Vec<QueueName>),
}

/// A broker of either kind.
#[async_trait]
pub trait Broker: Publisher {
    /// Draws hints for a worker with `slots` slots.
    async fn subscribe(&self, to: Subscription, slots: u32) -> Result<Box<dyn Subscriber>, BrokerError>;

    /// What the broker has dead-lettered.
    async fn dead_letters(&self) -> Result<Box<dyn DeadLetters>, BrokerError>;
}
