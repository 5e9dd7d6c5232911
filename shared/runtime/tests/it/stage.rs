//! A worker on a double of the store, under a clock that stands still until everybody waits for it: seconds pass in no time, and
//! an instant is a fact.

use std::sync::Arc;
use std::time::Duration;

use broker::Publisher;
use coordination::{Express, ExpressHint, InProcess, Nudge, Nudges};
use domain::{ClaimedJob, Emission, EmissionId, JobId, KindName, TenantId, Timestamp, TraceContext, WorkerId};
use kinds::Kind;
use runtime::{Drained, Parts, Worker, WorkerConfig};
use store::{Mint, Settlement};
use telemetry::Metrics;
use testkit::eventually;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::double::{Double, Mood};
use crate::fleet::class;
use crate::player::{Log, SOON, registry};
use crate::script::{Script, Step, payload};
use crate::watched::WatchedBroker;

/// Of the worker.
pub const SLOTS: u32 = 8;

pub struct Stage {
    pub double: Arc<Double>,
    pub log: Arc<Log>,
    pub metrics: Arc<Metrics>,
    pub start: Instant,
    pub broker: WatchedBroker,
    coordination: Arc<InProcess>,
    mint: Arc<Mint>,
    shutdown: CancellationToken,
    worker: JoinHandle<Drained>,
}

impl Stage {
    /// A worker that works, on a store that answers as `mood` says.
    pub async fn new(mood: Mood) -> Self {
        let double = Arc::new(Double::default());
        *double.mood.lock() = mood;
        let (log, metrics, start) = (Arc::<Log>::default(), Arc::new(Metrics::new().expect("declared once")), Instant::now());
        let (broker, coordination, mint) = (WatchedBroker::default(), Arc::<InProcess>::default(), Arc::<Mint>::default());
        broker.declare(&[class().queue]).await.expect("declared");
        let parts = Parts {
            work: Arc::clone(&double) as _,
            broker: Arc::new(broker.clone()),
            feed: Arc::clone(&coordination) as _,
            nudges: Arc::clone(&coordination) as _,
            express: Some(Arc::clone(&coordination) as _),
            clock: Arc::new(move || time(start)),
            mint: Arc::clone(&mint),
            metrics: Arc::clone(&metrics),
            registry: registry(&log),
            handlers: tokio::runtime::Handle::current(),
        };
        let (config, shutdown) = (WorkerConfig { slots: SLOTS, ..WorkerConfig::default() }, CancellationToken::new());
        let worker = Worker::new(parts, config);
        let registered = worker.registered();
        let worker = tokio::spawn(worker.run(shutdown.clone()));
        registered.cancelled().await;
        Self { double, log, metrics, start, broker, coordination, mint, shutdown, worker }
    }

    /// A job that can be claimed; nobody knows of it yet.
    pub fn job(&self, steps: &[Step]) -> JobId {
        self.job_with(steps, |job| job)
    }

    pub fn job_with(&self, steps: &[Step], change: impl FnOnce(ClaimedJob) -> ClaimedJob) -> JobId {
        let now = time(self.start);
        let job = ClaimedJob {
            id: self.mint.job(now),
            run: 1,
            claim: self.mint.claim(now),
            tenant: TenantId::of("default"),
            kind: KindName::of(Script::NAME),
            queue: class().queue,
            priority: class().priority,
            payload: payload(steps).into(),
            attempt: 1,
            max_attempts: 3,
            timeout: Duration::from_secs(60),
            due_at: now,
            started_at: now,
            cancel_requested: false,
            edits: 0,
            trace: TraceContext::from_random(self.mint.uuid(now)),
        };
        let id = job.id;
        self.double.queued.lock().insert(id, change(job));
        id
    }

    /// Tells the worker of jobs, in one hint.
    pub async fn hint(&self, jobs: &[JobId]) {
        let emission = Emission { id: self.mint.emission(time(self.start)), class: class(), jobs: jobs.to_vec() };
        self.broker.publish(&[emission]).await.expect("published");
    }

    /// Offers jobs on the express lane, as if that had been done so long ago.
    pub fn offer(&self, jobs: &[JobId], ago: Duration) -> EmissionId {
        let now = time(self.start);
        let emission = Emission { id: self.mint.emission(now), class: class(), jobs: jobs.to_vec() };
        let id = emission.id;
        assert!(self.coordination.offer(ExpressHint { emission, at: now - ago }));
        id
    }

    /// Starts a job and waits until it runs.
    pub async fn runs(&self, steps: &[Step]) -> JobId {
        let id = self.job(steps);
        self.hint(&[id]).await;
        self.log.started(id, 1).await;
        id
    }

    /// Cancels a job that runs; the handler was told when this returns.
    pub async fn cancel(&self, job: JobId) {
        let before = self.double.asked.lock().renewed.len();
        self.double.mood.lock().cancels.push(job);
        self.nudge(job);
        eventually("the cancel was told", SOON, async || self.double.asked.lock().renewed.len() > before).await;
    }

    /// Somebody asked to cancel this job, wherever it runs.
    pub fn nudge(&self, job: JobId) {
        self.coordination.nudge(Nudge::Cancel { job });
    }

    /// Lets the clock go to this time after the start.
    pub async fn at(&self, after: Duration) {
        tokio::time::sleep_until(self.start + after).await;
    }

    /// How its end was told.
    pub async fn end_of(&self, job: JobId) -> Settlement {
        eventually("its end is told", SOON, async || self.double.end_of(job)).await
    }

    pub fn workers(&self) -> Vec<WorkerId> {
        self.double.asked.lock().registered.iter().map(|(worker, _)| *worker).collect()
    }

    pub async fn stop(self) -> Drained {
        self.shutdown.cancel();
        self.drained().await
    }

    /// Waits until the worker has drained, whoever asked it to.
    pub async fn drained(self) -> Drained {
        testkit::within("the worker drains", SOON * 3, self.worker).await.expect("the worker does not panic")
    }
}

fn time(start: Instant) -> Timestamp {
    let micros = i64::try_from(start.elapsed().as_micros()).expect("a test is short");
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}
