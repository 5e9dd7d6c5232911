//! A broker in a virtual host of its own, with a ledger that remembers what it was told.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use broker::{Broker, BrokerError, DeadLetters, Delivery, Lack, Ledger, Publisher, Subscriber, Subscription};
use broker_rabbitmq::{QueueType, RabbitBroker, RabbitOptions};
use domain::{Class, DeadNotice, Doubt, Emission, EmissionId, JobId, Priority, QueueName, Timestamp, Unsent};
use parking_lot::Mutex;
use testkit::servers::{self, Vhost};
use tokio::time::Instant;

pub const LONG: Duration = Duration::from_secs(40);

/// What the ledger was told.
#[derive(Default)]
pub struct Told {
    pub confirmed: Mutex<Vec<(EmissionId, Timestamp)>>,
    pub doubts: Mutex<Vec<Unsent>>,
}

impl Ledger for Told {
    fn confirmed(&self, emission: EmissionId, at: Timestamp) {
        self.confirmed.lock().push((emission, at));
    }

    fn doubt(&self, unsent: Unsent) {
        self.doubts.lock().push(unsent);
    }
}

impl Told {
    pub fn confirmed_ids(&self) -> BTreeSet<EmissionId> {
        self.confirmed.lock().iter().map(|(emission, _)| *emission).collect()
    }

    /// Classes that were lost, in the order in which they were told.
    pub fn lost(&self) -> Vec<Class> {
        let lost = |unsent: &Unsent| match unsent {
            Unsent::Class { class, doubt: Doubt::Lost { .. } } => Some(class.clone()),
            Unsent::Class { doubt: Doubt::Drained { .. }, .. } | Unsent::Emissions(_) => None,
        };
        self.doubts.lock().iter().filter_map(lost).collect()
    }

    pub fn forget(&self) {
        self.confirmed.lock().clear();
        self.doubts.lock().clear();
    }
}

/// A clock that begins somewhere and goes at the usual speed.
pub fn now() -> Timestamp {
    static START: OnceLock<Instant> = OnceLock::new();
    Timestamp::from_micros(1_763_640_000_000_000) + START.get_or_init(Instant::now).elapsed()
}

pub fn options(url: String, told: &Arc<Told>) -> RabbitOptions {
    // Shown with a test that fails.
    let _ = tracing_subscriber::fmt().with_test_writer().with_max_level(tracing_subscriber::filter::LevelFilter::INFO).try_init();
    RabbitOptions {
        url,
        queue_type: if servers::queue_type() == "classic" { QueueType::Classic } else { QueueType::Quorum },
        clock: Arc::new(now),
        ledger: Arc::clone(told) as Arc<dyn Ledger>,
        watches: false,
        name: "test".to_owned(),
        extra_ca: None,
    }
}

pub struct Bench {
    pub broker: RabbitBroker,
    pub told: Arc<Told>,
    pub vhost: Vhost,
}

impl Bench {
    pub async fn new() -> Option<Self> {
        Self::with(|_| {}).await
    }

    /// `None`: there is no server.
    pub async fn with(adjust: impl FnOnce(&mut RabbitOptions)) -> Option<Self> {
        let vhost = servers::rabbitmq()?.fresh_vhost().await;
        let told = Arc::<Told>::default();
        let mut options = options(vhost.url(), &told);
        adjust(&mut options);
        let broker = RabbitBroker::open(options).expect("a good URL");
        Some(Self { broker, told, vhost })
    }
}

pub fn queue() -> QueueName {
    QueueName::of("q")
}

pub fn class(priority: Priority) -> Class {
    Class { queue: queue(), priority }
}

pub fn normal() -> Class {
    class(Priority::Normal)
}

pub fn ids(range: std::ops::Range<u128>) -> Vec<JobId> {
    range.map(|n| JobId::from_bytes(n.to_be_bytes())).collect()
}

pub fn row(n: u128) -> EmissionId {
    EmissionId::from_bytes(n.to_be_bytes())
}

/// Emissions of `pack` ids each; a row is called by the first of its ids.
pub fn emissions(class: &Class, range: std::ops::Range<u128>, pack: usize) -> Vec<Emission> {
    let all = ids(range);
    all.chunks(pack)
        .map(|jobs| Emission { id: EmissionId::from_bytes(*jobs[0].as_bytes()), class: class.clone(), jobs: jobs.to_vec() })
        .collect()
}

/// Takes until `n` ids are here, acking all.
pub async fn drain(subscriber: &dyn Subscriber, n: usize) -> Vec<JobId> {
    let mut got = Vec::new();
    while got.len() < n {
        let taken = testkit::within("something to take", LONG, subscriber.take(n - got.len())).await.expect("taken");
        for delivery in taken {
            got.extend_from_slice(delivery.jobs());
            Delivery::ack(delivery);
        }
    }
    got
}

#[async_trait]
impl Publisher for Bench {
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
impl Broker for Bench {
    async fn subscribe(&self, to: Subscription, slots: u32) -> Result<Box<dyn Subscriber>, BrokerError> {
        self.broker.subscribe(to, slots).await
    }

    async fn dead_letters(&self) -> Result<Box<dyn DeadLetters>, BrokerError> {
        self.broker.dead_letters().await
    }
}
