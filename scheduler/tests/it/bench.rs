//! What a test of work starts from: the embedded engine, jobs, a worker's acts in the test's own hands.

use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, EmbeddedBroker, Publisher, Subscriber, Subscription};
use coordination::{InProcess, Nudge, Nudges};
use domain::{
    ClaimedJob, Class, EffectPolicy, Job, JobId, JobState, KindInfo, KindName, NewJob, Priority, QueueName, RetryPolicy, TenantId, WorkerId,
};
use scheduler::{Parts, Predecessors};
use store::{Claim, End, Enqueued, Intake, Mint, Reports, Retention, Settlement, Store, Upkeep, Work, WorkerRegistration};
use store_sqlite::{SqliteOptions, SqliteStore};
use telemetry::Metrics;
use testkit::{Scratch, eventually};

use crate::running::{LONG, Running};

pub const KIND: &str = "test.work";

pub struct Bench {
    pub store: Arc<SqliteStore>,
    pub broker: EmbeddedBroker,
    pub nudges: Arc<InProcess>,
    pub mint: Mint,
    scratch: Scratch,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with_broker(EmbeddedBroker::default()).await
    }

    pub async fn with_broker(broker: EmbeddedBroker) -> Self {
        let scratch = Scratch::new();
        let store = SqliteStore::open(SqliteOptions::new(scratch.join("flotilla.db"))).await.expect("opens");
        store.declare_queues(&[QueueName::of("test")]).await.expect("declared");
        broker.declare(&[QueueName::of("test")]).await.expect("declared");
        Self { store: Arc::new(store), broker, nudges: Arc::default(), mint: Mint::default(), scratch }
    }

    /// Kills the store as a crash would, and opens it again as the next start does.
    pub async fn crash_and_reopen(&mut self) {
        self.store.kill().await;
        let store = SqliteStore::open(SqliteOptions::new(self.scratch.join("flotilla.db"))).await.expect("opens again");
        store.bury_predecessors().await.expect("buried");
        self.store = Arc::new(store);
    }

    pub fn parts(&self) -> Parts {
        let clock = Arc::clone(&self.store);
        Parts {
            upkeep: Arc::clone(&self.store) as _,
            steering: Arc::clone(&self.store) as _,
            ledger: None,
            broker: Arc::new(self.broker.clone()),
            nudges: Arc::clone(&self.nudges) as _,
            clock: Arc::new(move || clock.now()),
            metrics: Arc::new(Metrics::new().expect("declared once")),
            retention: Retention::default(),
        }
    }

    pub fn start(&self, predecessors: Predecessors) -> Running {
        Running::start(self.parts(), predecessors)
    }

    pub async fn listen(&self) -> Box<dyn Subscriber> {
        self.broker.subscribe(Subscription::All, 10).await.expect("subscribed")
    }

    // === jobs ===

    pub fn class(&self) -> Class {
        Class { queue: QueueName::of("test"), priority: Priority::Normal }
    }

    pub fn job(&self) -> NewJob {
        new_job(self.mint.job(self.store.now()))
    }

    /// Records jobs and tells of their timer, as the producer does; what they emit is lost on its way.
    pub async fn enqueue(&self, jobs: Vec<NewJob>) -> Vec<JobId> {
        let Enqueued { accepted, next_timer, .. } = self.store.enqueue(jobs).await.expect("enqueued");
        next_timer.into_iter().for_each(|at| self.nudges.nudge(Nudge::Timer { at }));
        accepted.into_iter().map(|accepted| accepted.job).collect()
    }

    pub async fn get(&self, id: JobId) -> Option<Job> {
        self.store.job(&TenantId::of("default"), id).await.expect("read")
    }

    pub async fn reaches(&self, id: JobId, state: JobState) -> Job {
        eventually(&format!("{id} is {state}"), LONG, async || {
            let job = self.get(id).await.ok_or("it does not exist")?;
            if job.state == state { Ok(job) } else { Err(format!("{job:?}")) }
        })
        .await
    }

    // === a worker's acts ===

    pub async fn worker(&self) -> WorkerId {
        let id = self.mint.worker(self.store.now());
        self.store.register(&registration(id)).await.expect("registered");
        id
    }

    pub async fn claim(&self, worker: WorkerId, jobs: &[JobId]) -> Vec<ClaimedJob> {
        let id = self.mint.claim(self.store.now());
        let claim = Claim { id, worker, class: self.class(), jobs: jobs.to_vec(), hints: Vec::new() };
        self.store.claim(&claim).await.expect("claimed").jobs
    }

    pub async fn settle(&self, worker: WorkerId, claimed: &[ClaimedJob], end: &End) {
        let settlement =
            |job: &ClaimedJob| Settlement { job: job.id, run: job.run, end: end.clone(), logs: Vec::new(), output: None, progress: None };
        let settlements: Vec<Settlement> = claimed.iter().map(settlement).collect();
        let settled = self.store.settle(worker, &settlements).await.expect("settled");
        assert_eq!(settled.lost, [], "they are this worker's");
    }
}

pub fn new_job(id: JobId) -> NewJob {
    NewJob {
        id,
        tenant: TenantId::of("default"),
        kind: KindName::of(KIND),
        queue: QueueName::of("test"),
        priority: Priority::Normal,
        payload: "{}".into(),
        run_at: None,
        start_before: None,
        max_attempts: 3,
        timeout: Duration::from_secs(60),
        tags: Vec::new(),
        group: None,
        callback_url: None,
        unique: None,
        idempotency: None,
        trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().expect("the sample of the specification"),
    }
}

/// A worker that knows the kind of those jobs.
pub fn registration(id: WorkerId) -> WorkerRegistration {
    let kind = KindInfo {
        name: KindName::of(KIND),
        queue: QueueName::of("test"),
        schema: "{}".into(),
        max_attempts: 3,
        timeout: Duration::from_secs(60),
        retry: RetryPolicy::default(),
        effects: EffectPolicy::Verify,
    };
    let (name, host, version) = ("worker".to_owned(), "host".to_owned(), "0.1.0".to_owned());
    WorkerRegistration { id, name, host, pid: 1, slots: 8, version, kinds: vec![kind] }
}

/// The next hints, answered as claimed.
pub async fn hinted(hints: &dyn Subscriber, ids_max: usize) -> Vec<JobId> {
    let deliveries = testkit::within("a hint arrives", LONG, hints.take(ids_max)).await.expect("open");
    let ids = deliveries.iter().flat_map(|delivery| delivery.jobs().iter().copied()).collect();
    deliveries.into_iter().for_each(broker::Delivery::ack);
    ids
}
