//! What a test on real servers starts from: the distributed engine with a database and a virtual host of its own, and a worker's
//! acts in the test's own hands.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bootstrap::{Engine, EngineSettings, Opening, Seats};
use broker::{Delivery, Subscriber, Subscription};
use domain::{ClaimedJob, EmissionId, JobId, QueueName, WorkerId};
use scheduler::{Parts, Predecessors};
use settings::{Reader, Source, vars};
use store::{Claim, End, Enqueued, Ledger, Outstanding, Retention, Settlement};
use testkit::servers::{self, Database, Vhost};
use tokio_util::sync::CancellationToken;

use crate::bench::{new_job, registration};
use crate::running::Running;

/// Long against everything that servers take, on a busy machine too.
pub const SOON: Duration = Duration::from_secs(90);

pub struct OnServers {
    pub engine: Engine,
    pub vhost: Vhost,
    pub database: Database,
}

impl OnServers {
    /// Without a server, the name of what is missing.
    pub async fn new() -> Result<Self, &'static str> {
        let (postgres, rabbit) = (servers::postgres().ok_or("postgres")?, servers::rabbitmq().ok_or("rabbitmq")?);
        let (database, vhost) = (postgres.fresh_database().await, rabbit.fresh_vhost().await);
        let source = Source::default()
            .with(&vars::DATABASE_URL, database.url())
            .with(&vars::BROKER_URL, vhost.url())
            .with(&vars::SECRET_KEY, "5e".repeat(32));
        let mut reader = Reader::new(&source);
        let settings = EngineSettings::read(&mut reader, Seats::AllRoles);
        let settings = reader.finish(settings).expect("settings that work");
        let opening = Opening { name: "test", watches: true, migrates: true, stop: &CancellationToken::new() };
        let engine = Engine::open(&settings, &opening).await.expect("opens");
        let queue = [QueueName::of("test")];
        engine.store.declare_queues(&queue).await.expect("declared");
        testkit::eventually("the queues are made", SOON, async || engine.broker.declare(&queue).await.is_ok()).await;
        Ok(Self { engine, vhost, database })
    }

    pub fn ledger(&self) -> &dyn Ledger {
        self.engine.ledger.as_deref().expect("this engine has one")
    }

    pub fn start(&self) -> Running {
        let engine = &self.engine;
        let parts = Parts {
            upkeep: Arc::clone(&engine.store) as _,
            steering: Arc::clone(&engine.store) as _,
            ledger: engine.ledger.clone(),
            broker: Arc::clone(&engine.broker),
            nudges: Arc::clone(&engine.nudges),
            clock: Arc::clone(&engine.clock),
            metrics: Arc::clone(&engine.metrics),
            retention: Retention::default(),
        };
        Running::start(parts, Predecessors::MayLive)
    }

    /// Records jobs, whose hints are lost on their way.
    pub async fn enqueue(&self, count: usize) -> Vec<JobId> {
        let jobs = (0..count).map(|_| new_job(self.engine.mint.job((self.engine.clock)()))).collect();
        let Enqueued { accepted, .. } = self.engine.store.enqueue(jobs).await.expect("enqueued");
        accepted.into_iter().map(|accepted| accepted.job).collect()
    }

    /// Lets no more time pass before what was never confirmed is sent again.
    pub async fn make_due(&self) {
        self.database.ask("update emission set retry_at = 0 where published_at is null").await;
    }

    pub async fn subscribe(&self) -> Box<dyn Subscriber> {
        self.engine.broker.subscribe(Subscription::All, 1_000).await.expect("subscribed")
    }

    pub async fn worker(&self) -> WorkerId {
        let id = self.engine.mint.worker((self.engine.clock)());
        self.engine.store.register(&registration(id)).await.expect("registered");
        id
    }

    /// Claims as hints come, until so many jobs are claimed. Answers with every id that was delivered.
    pub async fn drain(&self, hints: &dyn Subscriber, count: usize) -> Vec<JobId> {
        let (mut delivered, mut claimed) = (Vec::new(), 0);
        while claimed < count {
            let taken = testkit::within("a hint", SOON, hints.take(count - claimed)).await.expect("open");
            // Each time with a fresh lease: a slow machine must not fence anybody.
            let worker = self.worker().await;
            for delivery in taken {
                delivered.extend_from_slice(delivery.jobs());
                claimed += self.claim(worker, delivery).await.len();
            }
        }
        delivered
    }

    /// Claims what a delivery lists, as a worker does.
    pub async fn claim(&self, worker: WorkerId, delivery: Delivery) -> Vec<ClaimedJob> {
        let (jobs, hints) = (delivery.jobs().to_vec(), delivery.emissions().to_vec());
        let claim = Claim { id: self.engine.mint.claim((self.engine.clock)()), worker, class: delivery.class().clone(), jobs, hints };
        let claimed = self.engine.store.claim(&claim).await.expect("claimed").jobs;
        delivery.ack();
        claimed
    }

    pub async fn settle(&self, worker: WorkerId, claimed: &[ClaimedJob], end: &End) {
        let settlement =
            |job: &ClaimedJob| Settlement { job: job.id, run: job.run, end: end.clone(), logs: Vec::new(), output: None, progress: None };
        let settlements: Vec<Settlement> = claimed.iter().map(settlement).collect();
        assert_eq!(self.engine.store.settle(worker, &settlements).await.expect("settled").lost, []);
    }

    pub async fn outstanding(&self) -> Outstanding {
        self.ledger().outstanding().await.expect("counted")
    }

    /// Until the ledger has so many rows, all of them confirmed.
    pub async fn all_confirmed(&self, rows: usize) {
        let expected = Outstanding { unconfirmed: 0, confirmed: u64::try_from(rows).expect("a few") };
        testkit::eventually("the broker has confirmed all", SOON, async || {
            let outstanding = self.outstanding().await;
            if outstanding == expected { Ok(()) } else { Err(format!("{outstanding:?}")) }
        })
        .await;
    }
}

/// Takes a few hints, and leaves them to be answered.
pub async fn hinted(hints: &dyn Subscriber, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while ids(&taken).len() < count {
        taken.extend(testkit::within("a hint", SOON, hints.take(1_000)).await.expect("open"));
    }
    taken
}

pub fn ids(deliveries: &[Delivery]) -> BTreeSet<JobId> {
    deliveries.iter().flat_map(|delivery| delivery.jobs().iter().copied()).collect()
}

pub fn rows(deliveries: &[Delivery]) -> BTreeSet<EmissionId> {
    deliveries.iter().flat_map(|delivery| delivery.emissions().iter().copied()).collect()
}
