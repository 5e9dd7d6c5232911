//! What a test starts from: a store, a broker, a worker with scripted kinds, and the upkeep in the test's own hands.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use broker::{EmbeddedBroker, Publisher};
use coordination::InProcess;
use domain::{Class, Job, JobId, JobState, KindName, NewJob, Priority, QueueName, TenantId, TraceContext};
use kinds::Kind;
use runtime::{Drained, Parts, Registry, Worker, WorkerConfig};
use store::{Actor, Intake, Mint, Reports, Store, Upkeep};
use store_sqlite::{SqliteOptions, SqliteStore};
use telemetry::Metrics;
use testkit::{Scratch, eventually};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::player::{Log, SOON, registry};
use crate::script::{Script, Step, payload};

/// Where the jobs of tests wait.
pub fn class() -> Class {
    Class { queue: QueueName::of("test"), priority: Priority::Normal }
}

/// Who acts in tests.
pub fn me() -> Actor {
    Actor { tenant: TenantId::of("default"), name: "test".to_owned(), request_id: "r".to_owned() }
}

pub struct Fleet {
    pub store: Arc<SqliteStore>,
    pub broker: EmbeddedBroker,
    pub coordination: Arc<InProcess>,
    pub log: Arc<Log>,
    pub mint: Arc<Mint>,
    _scratch: Scratch,
}

/// A worker that runs.
pub struct Running {
    pub shutdown: CancellationToken,
    pub task: JoinHandle<Drained>,
}

impl Running {
    pub async fn stop(self) -> Drained {
        self.shutdown.cancel();
        testkit::within("the worker drains", SOON * 2, self.task).await.expect("the worker does not panic")
    }
}

impl Fleet {
    pub async fn new() -> Self {
        let scratch = Scratch::new();
        let store = SqliteStore::open(SqliteOptions::new(scratch.join("flotilla.db"))).await.expect("opens");
        let broker = EmbeddedBroker::default();
        broker.declare(&[QueueName::of("test")]).await.expect("declared");
        store.declare_queues(&[QueueName::of("test")]).await.expect("declared");
        Self { store: Arc::new(store), broker, coordination: Arc::default(), log: Arc::default(), mint: Arc::default(), _scratch: scratch }
    }

    pub fn worker(&self) -> Running {
        self.worker_with(WorkerConfig { slots: 4, drain_grace: Duration::from_millis(200), ..WorkerConfig::default() }, self.registry())
    }

    pub fn registry(&self) -> Registry {
        registry(&self.log)
    }

    pub fn worker_with(&self, config: WorkerConfig, registry: Registry) -> Running {
        self.worker_on(config, registry, Handle::current())
    }

    /// One whose handlers run on `handlers`.
    pub fn worker_on(&self, config: WorkerConfig, registry: Registry, handlers: Handle) -> Running {
        let store = Arc::clone(&self.store);
        let clock = Arc::clone(&self.store);
        let parts = Parts {
            work: store,
            broker: Arc::new(self.broker.clone()),
            feed: Arc::clone(&self.coordination) as _,
            nudges: Arc::clone(&self.coordination) as _,
            express: Some(Arc::clone(&self.coordination) as _),
            clock: Arc::new(move || clock.now()),
            mint: Arc::clone(&self.mint),
            metrics: Arc::new(Metrics::new().expect("declared once")),
            registry,
            handlers,
        };
        let shutdown = CancellationToken::new();
        Running { task: tokio::spawn(Worker::new(parts, config).run(shutdown.clone())), shutdown }
    }

    pub fn script(&self, steps: &[Step]) -> NewJob {
        self.job(Script::NAME, &payload(steps))
    }

    pub fn job(&self, kind: &str, payload: &str) -> NewJob {
        NewJob {
            id: self.mint.job(self.store.now()),
            tenant: TenantId::of("default"),
            kind: kind.parse::<KindName>().expect("a name"),
            queue: QueueName::of("test"),
            priority: Priority::Normal,
            payload: payload.into(),
            run_at: None,
            start_before: None,
            max_attempts: 3,
            timeout: Script::TIMEOUT,
            tags: Vec::new(),
            group: None,
            callback_url: None,
            unique: None,
            idempotency: None,
            trace: TraceContext::from_random(*self.mint.job(self.store.now()).as_uuid()),
        }
    }

    pub async fn submit(&self, job: NewJob) -> JobId {
        let enqueued = self.store.enqueue(vec![job]).await.expect("enqueued");
        self.broker.publish(&enqueued.emissions).await.expect("published");
        enqueued.accepted[0].job
    }

    pub async fn get(&self, id: JobId) -> Job {
        self.store.job(&TenantId::of("default"), id).await.expect("read").expect("the job exists")
    }

    /// Promotes whatever is due and publishes it: what the scheduler does.
    pub async fn promote(&self) {
        let promoted = self.store.promote(100).await.expect("promoted");
        self.broker.publish(&promoted.emissions).await.expect("published");
    }

    pub async fn reaches(&self, id: JobId, state: JobState) -> Job {
        eventually(&format!("{id} is {state}"), SOON, async || {
            self.promote().await;
            let job = self.get(id).await;
            if job.state == state { Ok(job) } else { Err(format!("{job:?}")) }
        })
        .await
    }

    /// How often each kind of handler call happened per job.
    pub fn attempts(&self) -> HashMap<JobId, usize> {
        let started = self.log.started.lock();
        started.iter().fold(HashMap::new(), |mut counts, (id, _)| {
            *counts.entry(*id).or_default() += 1;
            counts
        })
    }
}
