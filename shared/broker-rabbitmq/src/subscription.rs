//! One worker's subscription: what it wants, what it has in hand, and how its answers get to the consumers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use broker::{Answer, BrokerError, Delivery, Receipt};
use domain::{Class, ClassMark, JobId, Pace, QueueName};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::hold::{Batch, Hold};

pub(crate) struct Subscription {
    pub id: u64,
    to: broker::Subscription,
    slots: u32,
    pub hold: Mutex<Hold>,
    /// Told whenever ids can be taken.
    arrived: Notify,
    /// Told to one class's consumer: there are answers, or the pace has changed.
    bells: Mutex<BTreeMap<Class, Arc<Notify>>>,
    paces: Mutex<BTreeMap<QueueName, Pace>>,
    pub closed: CancellationToken,
}

impl Subscription {
    /// The queues among the known ones that it draws from.
    pub fn wants(&self, known: &BTreeSet<QueueName>) -> Vec<QueueName> {
        match &self.to {
            broker::Subscription::All => known.iter().cloned().collect(),
            broker::Subscription::Queues(queues) => queues.clone(),
        }
    }

    pub fn bell(&self, class: &Class) -> Arc<Notify> {
        Arc::clone(self.bells.lock().entry(class.clone()).or_default())
    }

    pub fn arrived(&self) {
        self.arrived.notify_waiters();
    }

    /// Messages of this queue's classes to be held ready.
    pub fn prefetch(&self, queue: &QueueName) -> u16 {
        let unknown = || Pace { queue: queue.clone(), mean: None, slots: self.slots };
        self.paces.lock().get(queue).cloned().unwrap_or_else(unknown).prefetch(self.slots)
    }

    pub fn pace(&self, pace: &Pace) {
        self.paces.lock().insert(pace.queue.clone(), pace.clone());
        let bells = self.bells.lock();
        bells.iter().filter(|(class, _)| class.queue == pace.queue).for_each(|(_, bell)| bell.notify_one());
    }

    /// Whether other workers consume this class as well.
    pub fn others(&self, class: &Class, others: bool) {
        self.hold.lock().others(class, others);
        self.bell(class).notify_one();
    }

    pub fn marks(&self) -> Vec<ClassMark> {
        self.hold.lock().marks()
    }

    pub async fn take(self: &Arc<Self>, ids_max: usize) -> Result<Vec<Delivery>, BrokerError> {
        loop {
            // Registered before looking, so that an id arriving in between wakes us.
            let arrived = self.arrived.notified();
            if self.closed.is_cancelled() {
                return Err(BrokerError::Closed);
            }
            let taken = self.hold.lock().take(ids_max);
            if !taken.is_empty() {
                return Ok(taken.into_iter().map(|(class, batch)| self.delivery(class, batch)).collect());
            }
            arrived.await;
        }
    }

    fn delivery(self: &Arc<Self>, class: Class, mut batch: Batch) -> Delivery {
        let (jobs, emissions) = (std::mem::take(&mut batch.jobs), std::mem::take(&mut batch.emissions));
        Delivery::new(class, jobs, emissions, Box::new(RabbitReceipt { subscription: Arc::clone(self), batch }))
    }

    pub fn close(&self) {
        self.closed.cancel();
        self.arrived.notify_waiters();
    }
}

struct RabbitReceipt {
    subscription: Arc<Subscription>,
    batch: Batch,
}

impl Receipt for RabbitReceipt {
    fn answer(self: Box<Self>, class: Class, jobs: Vec<JobId>, answer: Answer) {
        let Self { subscription, batch } = *self;
        let again = subscription.hold.lock().answer(&class, &batch, &jobs, answer, Instant::now());
        subscription.bell(&class).notify_one();
        if again {
            subscription.arrived.notify_waiters();
        }
    }
}

/// All subscriptions of this process.
#[derive(Default)]
pub(crate) struct Subscriptions {
    all: Mutex<Vec<Arc<Subscription>>>,
    ids: AtomicU64,
}

impl Subscriptions {
    pub fn add(&self, to: broker::Subscription, slots: u32) -> Arc<Subscription> {
        let subscription = Arc::new(Subscription {
            id: self.ids.fetch_add(1, Ordering::AcqRel),
            to,
            slots,
            hold: Mutex::default(),
            arrived: Notify::new(),
            bells: Mutex::default(),
            paces: Mutex::default(),
            closed: CancellationToken::new(),
        });
        self.all.lock().push(Arc::clone(&subscription));
        subscription
    }

    /// Those that are open.
    pub fn open(&self) -> Vec<Arc<Subscription>> {
        let mut all = self.all.lock();
        all.retain(|subscription| !subscription.closed.is_cancelled());
        all.clone()
    }
}
