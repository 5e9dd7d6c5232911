//! What a test starts from: a store, a broker, a worker with one scripted kind, and the upkeep in the test's own hands.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use broker::{EmbeddedBroker, Publisher};
use coordination::InProcess;
use domain::{EffectPolicy, Failure, Job, JobId, JobState, KindName, NewJob, Priority, QueueName, TenantId, TraceContext};
use kinds::Kind;
use parking_lot::Mutex;
use runtime::{Drained, Effect, Handler, JobContext, Parts, Registry, Worker, WorkerConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Intake, Mint, Reports, Store, Upkeep};
use store_sqlite::{SqliteOptions, SqliteStore};
use telemetry::Metrics;
use testkit::{Scratch, eventually};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const SOON: Duration = Duration::from_secs(20);

/// A job that does what its payload says, step by step: the first attempt the first step, and so on; the last one repeats.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Script {
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Succeed,
    Fail,
    RateLimited,
    Refuse,
    Panic,
    /// Until it is asked to stop; then it says so.
    Wait,
    /// Until it is aborted: it does not heed being asked.
    Hang,
    /// Until it is asked to stop; then it succeeds all the same.
    FinishAnyway,
    /// Makes the effect and confirms it, then fails.
    EffectThenFail,
    /// Makes the effect and does not know whether it happened, then fails.
    EffectUnknown,
    /// Makes the effect unless it is confirmed, then succeeds.
    Effect,
    /// Logs, reports progress and writes output.
    Talk,
}

impl Kind for Script {
    const NAME: &'static str = "test.script";
    const QUEUE: &'static str = "test";
    const TIMEOUT: Duration = Duration::from_secs(60);
    const EFFECTS: EffectPolicy = EffectPolicy::RepeatSameKey;

    fn retry() -> domain::RetryPolicy {
        domain::RetryPolicy { backoff: domain::Backoff::Fixed { delay_ms: 0 }, stop: domain::Stop::Attempts }
    }
}

/// The same with effects that are held for a person.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Careful {
    pub steps: Vec<Step>,
}

impl Kind for Careful {
    const NAME: &'static str = "test.careful";
    const QUEUE: &'static str = "test";

    fn retry() -> domain::RetryPolicy {
        Script::retry()
    }
}

/// What handlers did, for tests to wait on and to judge.
#[derive(Default)]
pub struct Log {
    pub started: Mutex<Vec<(JobId, u16)>>,
    /// Keys of effects that were really made.
    pub effects: Mutex<Vec<String>>,
    pub running: AtomicU64,
    pub running_max: AtomicU64,
    arrived: Notify,
}

impl Log {
    pub async fn started(&self, job: JobId, attempt: u16) {
        testkit::within(&format!("attempt {attempt} of {job} starts"), SOON, async {
            loop {
                let arrived = self.arrived.notified();
                if self.started.lock().contains(&(job, attempt)) {
                    return;
                }
                arrived.await;
            }
        })
        .await;
    }
}

#[derive(Clone)]
pub struct Scripted {
    pub log: Arc<Log>,
}

impl Handler<Script> for Scripted {
    type Output = String;

    async fn run(&self, script: Script, cx: &JobContext) -> Result<String, Failure> {
        self.play(&script.steps, cx).await
    }
}

impl Handler<Careful> for Scripted {
    type Output = String;

    async fn run(&self, script: Careful, cx: &JobContext) -> Result<String, Failure> {
        self.play(&script.steps, cx).await
    }
}

impl Scripted {
    async fn play(&self, steps: &[Step], cx: &JobContext) -> Result<String, Failure> {
        let running = self.log.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.log.running_max.fetch_max(running, Ordering::SeqCst);
        let _leave = Leave(&self.log);
        self.log.started.lock().push((cx.id(), cx.attempt()));
        self.log.arrived.notify_waiters();
        let step = steps.get(usize::from(cx.attempt()) - 1).or(steps.last()).cloned().unwrap_or(Step::Succeed);
        self.step(step, cx).await
    }

    async fn step(&self, step: Step, cx: &JobContext) -> Result<String, Failure> {
        let done = || Ok(format!("done at attempt {}", cx.attempt()));
        match step {
            Step::Succeed => done(),
            Step::Fail => Err(Failure::transient("scripted", "told to fail")),
            Step::RateLimited => Err(Failure::rate_limited(cx.now() + Duration::from_secs(30), "scripted_429", "told to wait")),
            Step::Refuse => Err(Failure::permanent("scripted_refusal", "told to refuse")),
            Step::Panic => panic!("told to panic"),
            Step::Wait => {
                cx.cancelled().await;
                Err(Failure::transient("stopped", "was asked to stop"))
            }
            Step::Hang => std::future::pending().await,
            Step::FinishAnyway => {
                cx.cancelled().await;
                done()
            }
            Step::EffectThenFail => {
                self.effect(cx, true).await?;
                Err(Failure::transient("scripted", "failed after the effect"))
            }
            Step::EffectUnknown => {
                self.effect(cx, false).await?;
                Err(Failure::transient("scripted", "the answer was lost"))
            }
            Step::Effect => {
                self.effect(cx, true).await?;
                done()
            }
            Step::Talk => {
                tracing::info!(answer = 42, "thinking aloud");
                cx.progress(50, Some("half"));
                cx.output("word by ");
                cx.output("word");
                done()
            }
        }
    }

    async fn effect(&self, cx: &JobContext, known: bool) -> Result<(), Failure> {
        match cx.effect("post", cx.idempotency_key()).await? {
            Effect::Confirmed(handle) => {
                assert_eq!(handle, "handle", "the handle comes back");
                Ok(())
            }
            Effect::Make(permit) | Effect::Verify(permit) => {
                self.log.effects.lock().push(cx.idempotency_key().to_owned());
                if known { permit.confirm("handle").await } else { permit.unknown().await }
            }
        }
    }
}

struct Leave<'a>(&'a Log);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
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
    shutdown: CancellationToken,
    task: JoinHandle<Drained>,
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
        let mut registry = Registry::default();
        registry.add::<Script, _>(Scripted { log: Arc::clone(&self.log) }).expect("one handler");
        registry.add::<Careful, _>(Scripted { log: Arc::clone(&self.log) }).expect("one handler");
        registry
    }

    pub fn worker_with(&self, config: WorkerConfig, registry: Registry) -> Running {
        let store = Arc::clone(&self.store);
        let clock = Arc::clone(&self.store);
        let parts = Parts {
            work: store,
            broker: Arc::new(self.broker.clone()),
            feed: Arc::clone(&self.coordination) as _,
            nudges: Arc::clone(&self.coordination) as _,
            clock: Arc::new(move || clock.now()),
            mint: Arc::clone(&self.mint),
            metrics: Arc::new(Metrics::new().expect("declared once")),
            registry,
            handlers: tokio::runtime::Handle::current(),
        };
        let shutdown = CancellationToken::new();
        Running { task: tokio::spawn(Worker::new(parts, config).run(shutdown.clone())), shutdown }
    }

    pub fn script(&self, steps: &[Step]) -> NewJob {
        self.job(Script::NAME, &serde_json::to_string(&Script { steps: steps.to_vec() }).expect("JSON"))
    }

    pub fn careful(&self, steps: &[Step]) -> NewJob {
        self.job(Careful::NAME, &serde_json::to_string(&Careful { steps: steps.to_vec() }).expect("JSON"))
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
