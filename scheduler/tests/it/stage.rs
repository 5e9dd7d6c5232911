//! What a test of times starts from: the planned store, a real broker without I/O, a clock that runs with paused time.

use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, EmbeddedBroker};
use coordination::InProcess;
use domain::{Class, Emission, EmissionId, JobId, Priority, QueueName, Timestamp};
use scheduler::{Parts, Predecessors};
use store::{Mint, Retention};
use telemetry::Metrics;
use tokio::time::Instant;

use crate::running::{Clock, Running};
use crate::steering::PlannedSteering;
use crate::upkeep::PlannedUpkeep;

/// When the stage's clock starts.
const OPENING: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

pub struct Stage {
    pub upkeep: Arc<PlannedUpkeep>,
    pub steering: Arc<PlannedSteering>,
    pub broker: EmbeddedBroker,
    pub nudges: Arc<InProcess>,
    started: Instant,
    mint: Mint,
}

impl Stage {
    pub fn new() -> Self {
        Self::with_broker(EmbeddedBroker::default())
    }

    pub fn with_broker(broker: EmbeddedBroker) -> Self {
        let (upkeep, nudges) = (Arc::<PlannedUpkeep>::default(), Arc::<InProcess>::default());
        let steering = Arc::<PlannedSteering>::default();
        Self { upkeep, steering, broker, nudges, started: Instant::now(), mint: Mint::default() }
    }

    pub fn start(&self) -> Running {
        self.start_with(Arc::new(self.broker.clone()), Predecessors::Buried)
    }

    pub fn start_with(&self, broker: Arc<dyn Broker>, predecessors: Predecessors) -> Running {
        Running::start(self.parts(broker), predecessors)
    }

    pub fn parts(&self, broker: Arc<dyn Broker>) -> Parts {
        Parts {
            upkeep: Arc::clone(&self.upkeep) as _,
            steering: Arc::clone(&self.steering) as _,
            ledger: None,
            broker,
            nudges: Arc::clone(&self.nudges) as _,
            clock: self.clock(),
            metrics: Arc::new(Metrics::new().expect("declared once")),
            retention: Retention::default(),
        }
    }

    fn clock(&self) -> Clock {
        let started = self.started;
        Arc::new(move || OPENING + started.elapsed())
    }

    /// Lets time pass, and says how much has passed in all.
    pub async fn later(&self, by: Duration) -> Duration {
        tokio::time::advance(by).await;
        self.started.elapsed()
    }

    /// The instant this long after the stage was set.
    pub fn at(&self, after: Duration) -> Timestamp {
        OPENING + after
    }

    pub fn class(&self) -> Class {
        Class { queue: QueueName::of("test"), priority: Priority::Normal }
    }

    /// An emission of this many new jobs.
    pub fn emission(&self, jobs: usize) -> Emission {
        let jobs: Vec<JobId> = (0..jobs).map(|_| self.mint.job(OPENING)).collect();
        let id: EmissionId = self.mint.emission(OPENING);
        Emission { id, class: self.class(), jobs }
    }
}
