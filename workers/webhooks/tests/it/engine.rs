//! The real engine around the handler: a store, a broker, a worker. What effects end as is written down.

use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, EmbeddedBroker, Publisher};
use coordination::InProcess;
use domain::{Class, EndpointName, Job, JobId, JobState, KindName, NewJob, Priority, QueueName, TenantId, TraceContext};
use kinds::{Deliver, Kind};
use runtime::{Registry, Worker, WorkerConfig};
use store::{Access, Actor, Endpoint, Intake, Mint, Reports, Store, Upkeep, Work};
use store_sqlite::{SqliteOptions, SqliteStore};
use telemetry::Metrics;
use testkit::{Scratch, eventually};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vault::Vault;
use webhooks_worker::{Parts, register};

use crate::deliveries::{loopback, secret};
use crate::recorder::Recorder;

const PATIENCE: Duration = Duration::from_secs(10);

pub struct Engine {
    pub store: Arc<SqliteStore>,
    pub broker: Arc<EmbeddedBroker>,
    pub shared: Arc<InProcess>,
    pub mint: Arc<Mint>,
    pub shutdown: CancellationToken,
    worker: Option<JoinHandle<runtime::Drained>>,
    vault: Arc<Vault>,
    pub recorder: Arc<Recorder>,
    _dir: Scratch,
}

pub fn tenant() -> TenantId {
    TenantId::of("acme")
}

pub fn by() -> Actor {
    Actor { tenant: tenant(), name: "test".to_owned(), request_id: "test".to_owned() }
}

pub fn class() -> Class {
    Class { queue: QueueName::of(Deliver::QUEUE), priority: Priority::default() }
}

impl Engine {
    pub async fn new() -> Self {
        let dir = Scratch::new();
        let store = Arc::new(SqliteStore::open(SqliteOptions::new(dir.join("f.db"))).await.expect("opens"));
        let recorder = Arc::new(Recorder::of(Arc::clone(&store)));
        let vault = Arc::new(Vault::new("2a".repeat(32).parse().expect("64 hex digits")));
        let (broker, shared, mint) = (Arc::new(EmbeddedBroker::default()), Arc::new(InProcess::default()), Arc::new(Mint::default()));
        broker.declare(&[class().queue]).await.expect("declared");
        Self { store, broker, shared, mint, shutdown: CancellationToken::new(), worker: None, vault, recorder, _dir: dir }
    }

    /// Records an endpoint with the secret that [`secret`] judges by.
    pub async fn endpoint(&self, name: &'static str, url: Option<String>) {
        let name = EndpointName::of(name);
        let sealed_secret = self.vault.seal(&tenant(), "webhook_endpoint", name.as_str(), secret().as_bytes()).expect("seals");
        let endpoint =
            Endpoint { tenant: tenant(), name, url, sealed_secret, created_at: self.store.now(), disabled_at: None, disabled_reason: None };
        self.store.endpoint_create(&by(), &endpoint).await.expect("recorded");
    }

    pub async fn submit(&self, payload: &str) -> JobId {
        let now = self.store.now();
        let id = self.mint.job(now);
        let job = NewJob {
            id,
            tenant: tenant(),
            kind: KindName::of(Deliver::NAME),
            queue: class().queue,
            priority: class().priority,
            payload: payload.into(),
            run_at: None,
            start_before: None,
            max_attempts: 3,
            timeout: Deliver::TIMEOUT,
            tags: Vec::new(),
            group: None,
            callback_url: None,
            unique: None,
            idempotency: None,
            trace: TraceContext::from_random(self.mint.uuid(now)),
        };
        let enqueued = self.store.enqueue(vec![job]).await.expect("recorded");
        self.broker.publish(&enqueued.emissions).await.expect("published");
        id
    }

    pub fn start(&mut self) {
        self.start_as(WorkerConfig::default());
    }

    pub fn start_as(&mut self, config: WorkerConfig) {
        let mut registry = Registry::default();
        let access = Arc::clone(&self.store) as Arc<dyn Access>;
        register(&mut registry, Parts { policy: loopback(), access, vault: Arc::clone(&self.vault) }).expect("registered once");
        let clock = Arc::clone(&self.store);
        let parts = runtime::Parts {
            work: Arc::clone(&self.recorder) as Arc<dyn Work>,
            broker: Arc::clone(&self.broker) as Arc<dyn Broker>,
            feed: Arc::clone(&self.shared) as _,
            nudges: Arc::clone(&self.shared) as _,
            express: None,
            clock: Arc::new(move || clock.now()),
            mint: Arc::clone(&self.mint),
            metrics: Arc::new(Metrics::new().expect("metrics")),
            registry,
            handlers: tokio::runtime::Handle::current(),
        };
        self.worker = Some(tokio::spawn(Worker::new(parts, config).run(self.shutdown.clone())));
    }

    pub async fn job(&self, id: JobId) -> Job {
        self.store.job(&tenant(), id).await.expect("readable").expect("recorded")
    }

    /// Promotes what is due until the job is in `state`.
    pub async fn until(&self, id: JobId, state: JobState) -> Job {
        eventually(&format!("job {state}"), PATIENCE, async || {
            let promoted = self.store.promote(100).await.expect("promotes");
            self.broker.publish(&promoted.emissions).await.expect("published");
            let job = self.job(id).await;
            if job.state == state { Ok(job) } else { Err(format!("{job:?}")) }
        })
        .await
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        if let Some(worker) = self.worker {
            assert!(worker.await.expect("no panic").clean);
        }
    }
}
