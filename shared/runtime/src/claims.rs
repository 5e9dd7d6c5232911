//! From hints to running jobs: slots first, then hints, then one claim per class, then a task per job.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use broker::{BrokerError, Delivery, Subscriber};
use domain::bounds::FLUSH_JOBS_MAX;
use domain::{ClaimId, ClaimedJob};
use futures_util::future::join_all;
use store::{Claim, Claimed, WorkError};
use telemetry::chain;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use crate::execution::execute_surely;
use crate::express::Express;
use crate::patience::Patience;
use crate::settler::Settler;
use crate::term::Term;

/// How long a claim may take before its outcome counts as unknown and is looked up.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(5);

/// Draws hints and starts jobs as long as it is polled. Dropping it between two claims loses nothing.
pub(crate) struct Claimer {
    pub term: Arc<Term>,
    pub slots: Arc<Semaphore>,
    pub express: Express,
    pub settler: Settler,
    pub running: TaskTracker,
}

/// Slots, and hints for at most as many.
enum Taken {
    Broker(Vec<OwnedSemaphorePermit>, Vec<Delivery>),
    Express(Vec<OwnedSemaphorePermit>, Delivery),
}

/// A claim that did not happen for a reason that concerns the next one, too.
struct StoreAway;

impl Claimer {
    /// Claims until the subscription is closed, the lease is over, or `stop` completes.
    pub(crate) async fn run(&self, subscriber: &dyn Subscriber, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut patience = Patience::default();
        loop {
            let taken = tokio::select! {
                biased;
                () = &mut stop => return,
                () = self.term.lease.over() => return,
                taken = self.take(subscriber) => taken,
            };
            match taken {
                // Not interrupted: a claim in flight is always brought to its end.
                Ok(taken) => match self.claim_taken(taken).await {
                    Ok(()) => patience.reset(),
                    Err(StoreAway) => patience.wait().await,
                },
                Err(BrokerError::Closed) => return,
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "no hints: the broker is away; running jobs are unaffected");
                    patience.wait().await;
                }
            }
        }
    }

    /// At least one slot, then hints for at most as many as there are. The express lane has its turn only while nothing of the broker
    /// is in hand: its shares and its order are the broker's.
    async fn take(&self, subscriber: &dyn Subscriber) -> Result<Taken, BrokerError> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| BrokerError::Closed)?;
        let mut permits = vec![slot];
        while permits.len() < FLUSH_JOBS_MAX
            && let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned()
        {
            permits.push(slot);
        }
        tokio::select! {
            biased;
            deliveries = subscriber.take(permits.len()) => Ok(Taken::Broker(permits, deliveries?)),
            delivery = self.express.take(permits.len()) => Ok(Taken::Express(permits, delivery)),
        }
    }

    async fn claim_taken(&self, taken: Taken) -> Result<(), StoreAway> {
        match taken {
            Taken::Broker(permits, deliveries) => self.claim_all(permits, deliveries).await,
            Taken::Express(mut permits, delivery) => {
                permits.truncate(delivery.jobs().len());
                let (emission, jobs) = (delivery.emissions().first().copied(), delivery.jobs().to_vec());
                let taken = self.claim(permits, delivery).await?;
                emission.into_iter().for_each(|emission| self.express.claimed(emission, jobs.clone(), taken));
                Ok(())
            }
        }
    }

    async fn claim_all(&self, mut permits: Vec<OwnedSemaphorePermit>, deliveries: Vec<Delivery>) -> Result<(), StoreAway> {
        let (known, unknown): (Vec<_>, Vec<_>) = deliveries.into_iter().partition(|delivery| self.express.knows(delivery));
        known.into_iter().for_each(Delivery::ack);
        let claims = unknown.into_iter().map(|delivery| {
            let mine = permits.split_off(permits.len().saturating_sub(delivery.jobs().len()));
            self.claim(mine, delivery)
        });
        let claims: Vec<_> = claims.collect();
        // Slots that no hint was found for are free again while we wait for the store.
        drop(permits);
        join_all(claims).await.into_iter().try_for_each(|claimed| claimed.map(drop))
    }

    /// Returns how many jobs it took.
    async fn claim(&self, permits: Vec<OwnedSemaphorePermit>, delivery: Delivery) -> Result<usize, StoreAway> {
        let term = &self.term;
        let claim = Claim {
            id: term.parts.mint.claim((term.parts.clock)()),
            worker: term.lease.worker(),
            class: delivery.class().clone(),
            jobs: delivery.jobs().to_vec(),
            hints: delivery.emissions().to_vec(),
        };
        term.holdings.claiming(claim.id);
        let claimed = match tokio::time::timeout(CLAIM_TIMEOUT, term.parts.work.claim(&claim)).await {
            Ok(Ok(Claimed { jobs, emissions })) => {
                term.publish(emissions).await;
                let dropped = claim.jobs.len().saturating_sub(jobs.len());
                term.parts.metrics.hints_dropped.with_label_values::<&str>(&[]).inc_by(u64::try_from(dropped).unwrap_or(u64::MAX));
                Some(jobs)
            }
            Ok(Err(WorkError::Fenced)) => {
                term.lease_lost();
                None
            }
            Ok(Err(WorkError::Store(error))) => {
                term.count_store_error("claim", &error);
                tracing::warn!(claim.id = %claim.id, error = %chain(&error), "a claim's outcome is unknown; looking it up");
                self.adopt(claim.id).await
            }
            Err(_) => {
                tracing::warn!(claim.id = %claim.id, "a claim took too long; looking up its outcome");
                self.adopt(claim.id).await
            }
        };
        term.holdings.claimed(claim.id, claimed.as_ref().map_or(0, Vec::len));
        match claimed {
            Some(jobs) => {
                delivery.ack();
                let taken = jobs.len();
                self.start(permits, jobs);
                Ok(taken)
            }
            None => {
                delivery.requeue();
                Err(StoreAway)
            }
        }
    }

    /// What a claim of unknown outcome took. `None`: nothing that we know of, and the hint is to be offered again; should the
    /// claim have happened after all, the next renewal hands its jobs back.
    async fn adopt(&self, claim: ClaimId) -> Option<Vec<ClaimedJob>> {
        let mut patience = Patience::default();
        while self.term.lease.is_live() {
            match tokio::time::timeout(CLAIM_TIMEOUT, self.term.parts.work.adopt(self.term.lease.worker(), claim)).await {
                Ok(Ok(jobs)) => return Some(jobs).filter(|jobs| !jobs.is_empty()),
                Ok(Err(WorkError::Fenced)) => {
                    self.term.lease_lost();
                    return None;
                }
                Ok(Err(WorkError::Store(_))) | Err(_) => patience.wait().await,
            }
        }
        None
    }

    /// A task per job. Slots of hints that were noise are free again.
    fn start(&self, permits: Vec<OwnedSemaphorePermit>, jobs: Vec<ClaimedJob>) {
        for (slot, job) in permits.into_iter().zip(jobs) {
            let (term, settler) = (Arc::clone(&self.term), self.settler.clone());
            let waited = job.started_at.since(job.due_at);
            term.parts.metrics.job_wait_seconds.with_label_values(&[job.queue.as_str()]).observe(waited.as_secs_f64());
            let running = async move {
                term.parts.metrics.worker_busy.inc();
                let claim = job.claim;
                let finished = execute_surely(Arc::clone(&term), job).await;
                term.parts.metrics.worker_busy.dec();
                match finished {
                    Some(finished) => settler.settle(finished).await,
                    None => {
                        term.abandoned.fetch_add(1, Ordering::AcqRel);
                        term.holdings.settled(claim, false);
                    }
                }
                drop(slot);
            };
            // On the handlers' own threads: one that blocks delays other handlers, but neither the lease nor the store nor the API.
            self.running.spawn_on(running, &self.term.parts.handlers);
        }
    }
}
