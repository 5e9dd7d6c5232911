//! The embedded broker, and how many subscriptions to it are open: whoever holds one gets hints that others do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use broker::{Broker, BrokerError, DeadLetters, Delivery, EmbeddedBroker, Lack, Publisher, Subscriber, Subscription};
use domain::{ClassMark, DeadNotice, Emission, EmissionId, JobId, Pace, QueueName};

#[derive(Clone, Default)]
pub struct WatchedBroker {
    broker: EmbeddedBroker,
    open: Arc<AtomicUsize>,
}

struct Watched {
    subscriber: Box<dyn Subscriber>,
    open: Arc<AtomicUsize>,
}

impl WatchedBroker {
    pub fn subscriptions(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Publisher for WatchedBroker {
    async fn declare(&self, queues: &[QueueName]) -> Result<(), BrokerError> {
        self.broker.declare(queues).await
    }

    async fn publish(&self, emissions: &[Emission]) -> Result<Vec<EmissionId>, BrokerError> {
        self.broker.publish(emissions).await
    }

    async fn lacks(&self) -> Result<Vec<Lack>, BrokerError> {
        self.broker.lacks().await
    }

    async fn refilled(&self, lack: &Lack) {
        self.broker.refilled(lack).await;
    }

    async fn announce(&self, notices: &[DeadNotice]) -> Result<Vec<JobId>, BrokerError> {
        self.broker.announce(notices).await
    }
}

#[async_trait]
impl Broker for WatchedBroker {
    async fn subscribe(&self, to: Subscription, slots: u32) -> Result<Box<dyn Subscriber>, BrokerError> {
        let subscriber = self.broker.subscribe(to, slots).await?;
        self.open.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Watched { subscriber, open: Arc::clone(&self.open) }))
    }

    async fn dead_letters(&self) -> Result<Box<dyn DeadLetters>, BrokerError> {
        self.broker.dead_letters().await
    }
}

#[async_trait]
impl Subscriber for Watched {
    async fn take(&self, ids_max: usize) -> Result<Vec<Delivery>, BrokerError> {
        self.subscriber.take(ids_max).await
    }

    fn close(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        self.subscriber.close();
    }

    fn marks(&self) -> Vec<ClassMark> {
        self.subscriber.marks()
    }

    fn pace(&self, pace: &Pace) {
        self.subscriber.pace(pace);
    }
}
