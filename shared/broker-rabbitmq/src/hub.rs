//! What the two connections of a process and its callers know in common.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use domain::{Class, QueueName};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::address::Address;
use crate::dead_letters::Sink;
use crate::episode::Episode;
use crate::error::CallError;
use crate::link::Link;
use crate::made::Made;
use crate::options::RabbitOptions;
use crate::subscription::Subscriptions;
use crate::troubles::{Deed, Troubles};

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
    /// Since when the broker should see that we read them.
    pub reading_since: Mutex<Option<Instant>>,
    /// Consumers begin one after the other: whatever ends the connection then is of this class.
    pub beginning: tokio::sync::Mutex<()>,
    pub begins: Mutex<Option<Class>>,
    /// Classes that ended a connection when they were consumed.
    pub lifeless: Mutex<BTreeSet<Class>>,
    /// Something to consume was added or taken away.
    pub consumers_changed: Notify,
    /// What does not succeed at present.
    pub troubles: Troubles,
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
            reading_since: Mutex::default(),
            beginning: tokio::sync::Mutex::default(),
            begins: Mutex::default(),
            lifeless: Mutex::default(),
            consumers_changed: Notify::new(),
            troubles: Troubles::default(),
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

    /// A connection has ended. If something of the broker broke while a consumer began, that one is not begun again just so.
    pub fn blame(&self, trouble: &CallError) {
        let begun = self.begins.lock().take();
        if trouble.is_the_brokers_own() {
            self.lifeless.lock().extend(begun);
        }
    }

    /// It did not succeed. `true`: it is refused, and a person has been told so.
    pub fn failed(&self, deed: Deed, error: &CallError) -> bool {
        self.troubles.failed(deed, error, &self.address)
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
