//! A worker process: terms one after the other, until it is asked to go.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use broker::{Broker, Subscriber, Subscription};
use coordination::{Express as Lane, Feed, Nudge, Nudges};
use domain::Timestamp;
use domain::bounds::{CANCEL_GRACE, DRAIN_GRACE};
use store::{Mint, Work, WorkerRegistration};
use telemetry::{Metrics, chain};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Registry;
use crate::claims::Claimer;
use crate::express::Express;
use crate::feedline::Feedline;
use crate::holdings::StopWhy;
use crate::lease::Lease;
use crate::patience::Patience;
use crate::settler::Settler;
use crate::term::Term;

/// How long a registration may take.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a drain waits for the last ends to be recorded and for its own entry to be closed.
const FAREWELL: Duration = Duration::from_secs(10);

/// What a worker works with.
pub struct Parts {
    pub work: Arc<dyn Work>,
    pub broker: Arc<dyn Broker>,
    pub feed: Arc<dyn Feed>,
    pub nudges: Arc<dyn Nudges>,
    /// A second way for hints of lone jobs, where there is one.
    pub express: Option<Arc<dyn Lane>>,
    /// The store's clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub mint: Arc<Mint>,
    pub metrics: Arc<Metrics>,
    pub registry: Registry,
    /// Where handlers run. Best a runtime of their own, so that one that blocks its thread holds up nothing but handlers.
    pub handlers: tokio::runtime::Handle,
}

/// How a worker introduces itself and how much it does at once.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    pub name: String,
    pub host: String,
    pub version: String,
    /// Jobs at the same time, at least 1.
    pub slots: u32,
    pub subscription: Subscription,
    /// How long a drain waits for running jobs before it hands the rest back.
    pub drain_grace: Duration,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        let (name, host, version) = ("worker".to_owned(), "localhost".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        Self { name, host, version, slots: 10, subscription: Subscription::All, drain_grace: DRAIN_GRACE }
    }
}

/// What a drain did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drained {
    /// Running jobs that ended within the grace.
    pub finished: usize,
    /// Running jobs that were stopped and given back, attempt restored.
    pub handed_back: usize,
    /// Every end was recorded and the worker's entry is closed.
    pub clean: bool,
}

/// A worker that can be run.
pub struct Worker {
    parts: Arc<Parts>,
    config: WorkerConfig,
    slots: Arc<Semaphore>,
    registered: CancellationToken,
    /// One task per term, until everything that ended in it is recorded.
    settlers: TaskTracker,
}

impl Worker {
    pub fn new(parts: Parts, config: WorkerConfig) -> Self {
        let slots = Arc::new(Semaphore::new(usize::try_from(config.slots.max(1)).unwrap_or(usize::MAX)));
        parts.metrics.worker_slots.set(i64::from(config.slots.max(1)));
        Self { parts: Arc::new(parts), config, slots, registered: CancellationToken::new(), settlers: TaskTracker::new() }
    }

    /// Cancelled when the worker has registered for the first time: its kinds and queues are known from then on.
    pub fn registered(&self) -> CancellationToken {
        self.registered.clone()
    }

    /// Works until `shutdown` (or a drain asked for through the store), then drains. A lost lease is not the end: it goes
    /// on under a new worker id.
    pub async fn run(self, shutdown: CancellationToken) -> Drained {
        let feedline = Feedline::start(Arc::clone(&self.parts.feed));
        let mut abandoned = 0_usize;
        loop {
            let Some(lease) = self.register(&shutdown).await else {
                // Asked to stop while the store is away: what ended may still be waiting to be recorded.
                return Drained { clean: self.all_recorded().await && abandoned == 0, ..Drained::default() };
            };
            // Anew for each term, and not before it: who may not claim must not hold hints that others could.
            let Some(subscriber) = self.subscribe(&shutdown).await else {
                let retired = tokio::time::timeout(FAREWELL, self.parts.work.retire(lease.worker())).await;
                return Drained {
                    clean: self.all_recorded().await && abandoned == 0 && matches!(retired, Ok(Ok(()))),
                    ..Drained::default()
                };
            };
            let term = Arc::new(Term::new(Arc::clone(&self.parts), feedline.clone(), lease, Arc::clone(&subscriber)));
            match self.serve(&term, &*subscriber, &shutdown).await {
                Some(drained) => return drained,
                None => abandoned += term.abandoned.load(Ordering::Acquire) + term.holdings.running(),
            }
        }
    }

    /// Waits, within bounds, until every end is recorded.
    async fn all_recorded(&self) -> bool {
        self.settlers.close();
        tokio::time::timeout(FAREWELL, self.settlers.wait()).await.is_ok()
    }

    async fn subscribe(&self, shutdown: &CancellationToken) -> Option<Arc<dyn Subscriber>> {
        let mut patience = Patience::default();
        loop {
            match self.parts.broker.subscribe(self.config.subscription.clone(), self.config.slots).await {
                Ok(subscriber) => return Some(subscriber.into()),
                Err(error) => tracing::warn!(error = %chain(&error), "could not subscribe; trying again"),
            }
            shutdown.run_until_cancelled(patience.wait()).await?;
        }
    }

    async fn register(&self, shutdown: &CancellationToken) -> Option<Lease> {
        let mut patience = Patience::default();
        loop {
            let registration = self.registration();
            let sent = Instant::now();
            match tokio::time::timeout(REGISTER_TIMEOUT, self.parts.work.register(&registration)).await {
                Ok(Ok(())) => {
                    self.parts.nudges.nudge(Nudge::Kinds);
                    self.registered.cancel();
                    tracing::info!(worker.id = %registration.id, count = registration.kinds.len(), slots = registration.slots, "registered");
                    return Some(Lease::granted(registration.id, sent));
                }
                Ok(Err(error)) => tracing::warn!(error = %chain(&error), "could not register; trying again"),
                Err(_) => tracing::warn!("registering took too long; trying again under a new id"),
            }
            shutdown.run_until_cancelled(patience.wait()).await?;
        }
    }

    fn registration(&self) -> WorkerRegistration {
        let WorkerConfig { name, host, version, slots, subscription: _, drain_grace: _ } = self.config.clone();
        let id = self.parts.mint.worker((self.parts.clock)());
        WorkerRegistration { id, name, host, pid: std::process::id(), slots, version, kinds: self.parts.registry.infos() }
    }

    /// One term. `None`: its lease is over and another is to follow.
    async fn serve(&self, term: &Arc<Term>, subscriber: &dyn Subscriber, shutdown: &CancellationToken) -> Option<Drained> {
        let keeper = tokio::spawn({
            let term = Arc::clone(term);
            async move { term.keep_lease().await }
        });
        let settler = Settler::start(Arc::clone(term), &self.settlers);
        let running = TaskTracker::new();
        // Given up with the claimer, before anything drains or another term begins.
        let express = Express::new(Arc::clone(&self.parts), &self.config.subscription);
        let claimer = Claimer { term: Arc::clone(term), slots: Arc::clone(&self.slots), express, settler, running: running.clone() };
        let stop = async {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = term.drain.cancelled() => {}
            }
        };
        claimer.run(subscriber, stop).await;
        drop(claimer);
        running.close();
        subscriber.close();
        if shutdown.is_cancelled() || term.drain.is_cancelled() {
            let drained = self.drain(term, &running).await;
            keeper.abort();
            return Some(drained);
        }
        // Fenced: the handlers were told to stop; those that succeed in their grace are still worth a try.
        let aborted = tokio::time::timeout(CANCEL_GRACE * 2, running.wait()).await;
        if aborted.is_err() {
            tracing::error!(worker.id = %term.lease.worker(), "handlers do not stop; their slots stay taken");
        }
        keeper.abort();
        None
    }

    async fn drain(&self, term: &Arc<Term>, running: &TaskTracker) -> Drained {
        // What was somebody else's before is none of the drain's business.
        let (at_first, lost_before) = (term.holdings.running(), term.abandoned.load(Ordering::Acquire));
        if at_first > 0 {
            let grace_ms = u64::try_from(self.config.drain_grace.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(count = at_first, grace_ms, "draining: waiting for running jobs");
        }
        if tokio::time::timeout(self.config.drain_grace, running.wait()).await.is_err() {
            let count = term.holdings.stop_all(StopWhy::Drain);
            tracing::info!(count, "draining: handing the rest back");
        }
        let all_ended = tokio::time::timeout(CANCEL_GRACE * 2, running.wait()).await.is_ok();
        let all_recorded = all_ended && self.all_recorded().await;
        let retired = tokio::time::timeout(FAREWELL, self.parts.work.retire(term.lease.worker())).await;
        let abandoned = term.abandoned.load(Ordering::Acquire) - lost_before + term.holdings.running();
        let clean = all_recorded && abandoned == 0 && matches!(retired, Ok(Ok(())));
        if !clean {
            tracing::warn!(worker.id = %term.lease.worker(), "drained, but not everything could be recorded; the rescuer finds the rest");
        }
        let handed_back = term.handed_back.load(Ordering::Acquire);
        Drained { finished: at_first.saturating_sub(handed_back + abandoned), handed_back, clean }
    }
}
