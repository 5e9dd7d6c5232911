//! The port, over two supervised connections: one to send, one to receive.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::broker::{Broker, BrokerError, DeadLetters, Lack, Publisher, Subscriber, Subscription};
use async_trait::async_trait;
use domain::bounds::RABBIT_OUTBOX_MAX;
use domain::{ClassMark, DeadNotice, Emission, EmissionId, JobId, Pace, QueueName};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::address::{Address, AddressError};
use crate::announce;
use crate::consuming::Consumers;
use crate::dead_letters::RabbitDeadLetters;
use crate::declare;
use crate::error::CallError;
use crate::health::RabbitHealth;
use crate::hub::Hub;
use crate::options::RabbitOptions;
use crate::publishing::{Outgoing, Publishing};

/// How long a caller waits for queues to be declared; they are declared later as well.
const DECLARE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the last emissions may take at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);
/// How long connections may take to close after that.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The broker port over RabbitMQ. Dropping it ends its connections.
pub struct RabbitBroker {
    hub: Arc<Hub>,
    outbox: Mutex<Option<mpsc::Sender<Outgoing>>>,
    stop: CancellationToken,
    keepers: Mutex<Vec<JoinHandle<()>>>,
}

impl RabbitBroker {
    /// Starts to connect and returns at once: the broker may be away. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// When the URL cannot be one of RabbitMQ.
    pub fn open(options: RabbitOptions) -> Result<Self, AddressError> {
        let address = Address::parse(&options.url, options.extra_ca.clone())?;
        let hub = Arc::new(Hub::new(address, options));
        let stop = CancellationToken::new();
        let (outbox, publishing) = Publishing::new(Arc::clone(&hub));
        let publishing = tokio::spawn({
            let (hub, stop) = (Arc::clone(&hub), stop.clone());
            let session = Box::new(publishing);
            async move { hub.publishing.keep("publish", &hub, session, stop).await }
        });
        let consuming = tokio::spawn({
            let (hub, stop) = (Arc::clone(&hub), stop.clone());
            let session = Box::new(Consumers::new(Arc::clone(&hub)));
            async move { hub.consuming.keep("consume", &hub, session, stop).await }
        });
        Ok(Self { hub, outbox: Mutex::new(Some(outbox)), stop, keepers: Mutex::new(vec![publishing, consuming]) })
    }

    /// Sends what waits, within 2 s, and closes the connections. Afterwards nothing is taken any more.
    pub async fn close(&self) {
        // Without a sender, the publishing side ends by itself as soon as everything is confirmed.
        drop(self.outbox.lock().take());
        let keepers = std::mem::take(&mut *self.keepers.lock());
        self.hub.subscriptions.open().iter().for_each(|subscription| subscription.close());
        let mut keepers = keepers.into_iter();
        if let Some(mut publishing) = keepers.next() {
            let flushed = self.hub.publishing.connected() && timeout(FLUSH_TIMEOUT, &mut publishing).await.is_ok();
            self.stop.cancel();
            if !flushed {
                // Its end is waited for, but its supervisor is not to be: it may be in a call.
                let _ = timeout(CLOSE_TIMEOUT, publishing).await;
            }
        }
        for keeper in keepers {
            let _ = timeout(CLOSE_TIMEOUT, keeper).await;
        }
    }

    /// How the connections are doing.
    pub fn health(&self) -> RabbitHealth {
        let waiting = self.outbox.lock().as_ref().map_or(0, |outbox| RABBIT_OUTBOX_MAX - outbox.capacity());
        RabbitHealth::of(&self.hub, waiting)
    }
}

impl RabbitBroker {
    /// Waits until each of these has been made, or is known to be in trouble.
    async fn tried(&self, queues: &[QueueName]) -> Result<(), BrokerError> {
        self.hub.learn(queues);
        let mut made = self.hub.made.subscribe();
        let all = made.wait_for(|made| queues.iter().all(|queue| made.is_settled(queue)));
        match timeout(DECLARE_TIMEOUT, all).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(declare::not_yet()),
        }
    }
}

impl Drop for RabbitBroker {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[async_trait]
impl Publisher for RabbitBroker {
    async fn declare(&self, queues: &[QueueName]) -> Result<(), BrokerError> {
        self.tried(queues).await?;
        let made = self.hub.made.borrow();
        match queues.iter().find_map(|queue| made.trouble(queue)) {
            Some(trouble) => Err(trouble.clone().into()),
            None => Ok(()),
        }
    }

    async fn publish(&self, emissions: &[Emission]) -> Result<Vec<EmissionId>, BrokerError> {
        if !self.hub.open.load(Ordering::Acquire) || self.hub.publishing.blocked() {
            return Ok(Vec::new());
        }
        let Some(outbox) = self.outbox.lock().clone() else { return Ok(Vec::new()) };
        let mut taken = Vec::with_capacity(emissions.len());
        for emission in emissions {
            // What does not fit stays unconfirmed in the ledger.
            let Ok(place) = outbox.try_reserve() else { break };
            place.send(Outgoing::new(emission));
            taken.push(emission.id);
        }
        if !taken.is_empty() {
            // The sending task goes first: a hint is on its way before our caller, whose job is safe already, makes an answer.
            tokio::task::yield_now().await;
        }
        Ok(taken)
    }

    /// The ledger knows what is missing.
    async fn lacks(&self) -> Result<Vec<Lack>, BrokerError> {
        Ok(Vec::new())
    }

    async fn refilled(&self, _lack: &Lack) {}

    async fn announce(&self, notices: &[DeadNotice]) -> Result<Vec<JobId>, BrokerError> {
        if notices.is_empty() {
            return Ok(Vec::new());
        }
        let queues: Vec<QueueName> = announce::queues(notices).into_iter().collect();
        // One of them in trouble keeps none of the others from being told: what has no queue comes back, and is told later.
        let not_yet = self.tried(&queues).await;
        if self.hub.publishing.blocked() {
            return Err(CallError::ended("announcing", "the broker takes no messages at present").into());
        }
        let Some(line) = self.hub.publishing.line.borrow().clone() else { return not_yet.and(Err(declare::not_yet())) };
        let told = announce::announce(&line, notices).await;
        announce::note(&self.hub, &told);
        Ok(told?.confirmed)
    }
}

#[async_trait]
impl Broker for RabbitBroker {
    async fn subscribe(&self, to: Subscription, slots: u32) -> Result<Box<dyn Subscriber>, BrokerError> {
        if let Subscription::Queues(queues) = &to {
            self.hub.learn(queues);
        }
        let subscription = self.hub.subscriptions.add(to, slots);
        self.hub.consumers_changed.notify_one();
        Ok(Box::new(RabbitSubscriber { subscription, hub: Arc::clone(&self.hub) }))
    }

    async fn dead_letters(&self) -> Result<Box<dyn DeadLetters>, BrokerError> {
        let (sink, letters) = RabbitDeadLetters::new();
        *self.hub.dead_letters.lock() = Some(sink);
        self.hub.consumers_changed.notify_one();
        Ok(Box::new(letters))
    }
}

struct RabbitSubscriber {
    subscription: Arc<crate::subscription::Subscription>,
    hub: Arc<Hub>,
}

#[async_trait]
impl Subscriber for RabbitSubscriber {
    async fn take(&self, ids_max: usize) -> Result<Vec<::broker::Delivery>, BrokerError> {
        self.subscription.take(ids_max).await
    }

    fn close(&self) {
        self.subscription.close();
        self.hub.consumers_changed.notify_one();
    }

    fn marks(&self) -> Vec<ClassMark> {
        self.subscription.marks()
    }

    fn pace(&self, pace: &Pace) {
        self.subscription.pace(pace);
    }
}

impl Drop for RabbitSubscriber {
    fn drop(&mut self) {
        self.subscription.close();
        self.hub.consumers_changed.notify_one();
    }
}
