//! The express lane: the hint of a lone job also goes straight to a worker that waits, beside the broker's copy of it.

use async_trait::async_trait;
use domain::{Class, Emission, QueueName, Timestamp};

/// A second way for hints. The broker has each of them as well and the store decides, so one that is lost, late or doubled costs
/// nothing but a claim that finds nothing.
pub trait Express: Send + Sync {
    /// Offers an emission to whoever waits for its class. Never waits and never fails; `false`: it was not even sent.
    fn offer(&self, hint: ExpressHint) -> bool;

    /// A place to wait for hints of these queues. Dropping it gives the place up.
    fn stop(&self, queues: &[QueueName]) -> Box<dyn ExpressStop>;
}

/// Where one worker waits.
#[async_trait]
pub trait ExpressStop: Send + Sync {
    /// Waits for a hint that nobody else gets: of the most important class that has one, the oldest. While nobody waits none is
    /// taken, but for one perhaps that was under way; one that comes to nobody is lost. Pends while the lane is away.
    async fn take(&self) -> ExpressHint;
}

/// One emission, and when it was offered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpressHint {
    pub emission: Emission,
    /// By the store's clock.
    pub at: Timestamp,
}

/// The classes of some queues, most important first.
pub fn by_priority(queues: &[QueueName]) -> Vec<Class> {
    let of = |priority| queues.iter().map(move |queue| Class { queue: queue.clone(), priority });
    domain::Priority::ALL.into_iter().flat_map(of).collect()
}
