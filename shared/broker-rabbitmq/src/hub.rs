//! What the two connections of a process and its callers know in common.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use domain::QueueName;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::address::Address;
use crate::dead_letters::Sink;
use crate::episode::Episode;
use crate::link::Link;
use crate::made::Made;
use crate::options::RabbitOptions;
use crate::subscription::Subscriptions;

pub(crate) struct Hub {
    pub address: Address,
    pub options: RabbitOptions,
    /// Queues that are to exist.
    pub known: watch::Sender<BTreeSet<QueueName>>,
    /// Which of them this process has made sure of since it last connected, and which are in trouble.
    pub made: watch::Sender<Made>,
    pub publishing: Link,
    pub consuming: Link,
    /// Whether emissions are taken: connected, not blocked, not closing.
    pub open: AtomicBool,
    /// Emissions that were sent and not confirmed yet.
    pub in_flight: AtomicUsize,
    pub subscriptions: Subscriptions,
    /// Somebody wants to read dead letters.
    pub dead_letters: Mutex<Option<Sink>>,
    /// Something to consume was added or taken away.
    pub consumers_changed: Notify,
    /// Messages that were no hints.
    pub garbage: Episode,
    /// Broker queues that exist with other arguments than ours.
    pub different: Mutex<BTreeSet<String>>,
}

impl Hub {
    pub fn new(address: Address, options: RabbitOptions) -> Self {
        Self {
            address,
            options,
            known: watch::Sender::default(),
            made: watch::Sender::default(),
            publishing: Link::default(),
            consuming: Link::default(),
            open: AtomicBool::default(),
            in_flight: AtomicUsize::default(),
            subscriptions: Subscriptions::default(),
            dead_letters: Mutex::default(),
            consumers_changed: Notify::new(),
            garbage: Episode::new("dead-lettered messages of RabbitMQ that are no hints; they are shown among the dead letters"),
            different: Mutex::default(),
        }
    }

    /// Adds queues to those that are to exist. Whether there was a new one.
    pub fn learn<'a>(&self, queues: impl IntoIterator<Item = &'a QueueName>) -> bool {
        let fresh: BTreeSet<QueueName> = {
            let known = self.known.borrow();
            queues.into_iter().filter(|queue| !known.contains(*queue)).cloned().collect()
        };
        if fresh.is_empty() {
            return false;
        }
        self.known.send_modify(|known| known.extend(fresh));
        self.consumers_changed.notify_one();
        true
    }

    /// Where dead letters are to go, while somebody reads them.
    pub fn dead_letter_sink(&self) -> Option<Sink> {
        self.dead_letters.lock().clone().filter(|sink| !sink.is_closed())
    }

    /// A queue of ours was found missing: it is made anew by the publishing side.
    pub fn missing(&self, queue: &QueueName) {
        self.made.send_if_modified(|made| made.gone(queue));
    }

    /// Says once of each queue that it is not as we would have made it.
    pub fn note_different(&self, queue: &str) {
        if self.different.lock().insert(queue.to_owned()) {
            tracing::error!(
                "the RabbitMQ queue `{queue}` exists with other arguments than this process would give it; it is used as it is. To change \
                 it, drain it, delete it (the hints are sent again) and let it be made anew, or go back to the queue type it was made with"
            );
        }
    }
}
