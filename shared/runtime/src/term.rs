//! One term of a worker: from a registration under a new id to its drain or the end of its lease.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use broker::Subscriber;
use coordination::{Nudge, NudgeListener};
use domain::Emission;
use domain::bounds::{LEASE_RENEW_EVERY, LEASE_RENEW_TIMEOUT};
use store::{Renewed, StoreError, WorkError};
use telemetry::chain;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::feedline::Feedline;
use crate::holdings::{Holdings, StopWhy};
use crate::lease::Lease;
use crate::worker::Parts;

/// How long the broker may take for follow-up jobs before they are left to the upkeep.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);

/// What everything that happens under one worker id shares.
pub(crate) struct Term {
    pub parts: Arc<Parts>,
    pub feedline: Feedline,
    pub lease: Lease,
    pub subscriber: Arc<dyn Subscriber>,
    pub holdings: Holdings,
    /// Somebody asked this worker to drain, through the store.
    pub drain: CancellationToken,
    /// Running jobs that were stopped by a drain and given back.
    pub handed_back: AtomicUsize,
    /// Running jobs whose end nobody records, because the lease was over first; the rescuer gives them back.
    pub abandoned: AtomicUsize,
    fenced: AtomicBool,
}

impl Term {
    pub(crate) fn new(parts: Arc<Parts>, feedline: Feedline, lease: Lease, subscriber: Arc<dyn Subscriber>) -> Self {
        Self {
            parts,
            feedline,
            lease,
            subscriber,
            holdings: Holdings::default(),
            drain: CancellationToken::new(),
            handed_back: AtomicUsize::new(0),
            abandoned: AtomicUsize::new(0),
            fenced: AtomicBool::new(false),
        }
    }

    /// Renews the lease until it is over or the task is aborted. On its own task, so that no handler delays it.
    pub(crate) async fn keep_lease(&self) {
        let mut nudges = self.parts.nudges.listen();
        let renewing = async {
            let mut due = Instant::now() + LEASE_RENEW_EVERY;
            loop {
                self.wait_for_renewal(&mut nudges, due).await;
                // From when it was sent, not from when it was answered: a slow store must not stretch the period.
                due = Instant::now() + LEASE_RENEW_EVERY;
                self.renew().await;
            }
        };
        tokio::select! {
            () = renewing => {}
            () = self.lease.over() => {}
        }
        if !self.fenced.load(Ordering::Acquire) {
            tracing::error!(worker.id = %self.lease.worker(), "the lease ended because no renewal got through in time: aborting what runs and going on under a new id");
            self.parts.metrics.worker_fenced.with_label_values(&["not_renewed"]).inc();
        }
        self.holdings.stop_all(StopWhy::LeaseOver);
    }

    /// Hands emissions to the broker; what it does not take is left to the upkeep.
    pub(crate) async fn publish(&self, emissions: Vec<Emission>) {
        if emissions.is_empty() {
            return;
        }
        match tokio::time::timeout(PUBLISH_TIMEOUT, self.parts.broker.publish(&emissions)).await {
            Ok(Ok(taken)) if taken.len() == emissions.len() => {}
            Ok(Ok(_)) | Err(_) => self.parts.nudges.nudge(Nudge::Emissions),
            Ok(Err(error)) => {
                tracing::warn!(error = %chain(&error), "follow-up jobs were not handed to the broker; the upkeep re-sends them");
                self.parts.nudges.nudge(Nudge::Emissions);
            }
        }
    }

    pub(crate) fn count_store_error(&self, role: &str, error: &StoreError) {
        self.parts.metrics.store_errors.with_label_values(&[role, error.class()]).inc();
    }

    /// The store said that this worker is no more.
    pub(crate) fn lease_lost(&self) {
        if !self.fenced.swap(true, Ordering::AcqRel) {
            tracing::error!(worker.id = %self.lease.worker(), "fenced: the store gave this worker up; aborting what runs and going on under a new id");
            self.parts.metrics.worker_fenced.with_label_values(&["fenced"]).inc();
        }
        self.lease.end();
    }

    /// Until the next renewal is due, or a cancel of a job that runs here makes it urgent.
    async fn wait_for_renewal(&self, nudges: &mut NudgeListener, due: Instant) {
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(due) => return,
                nudge = nudges.next() => match nudge {
                    Some(Nudge::Cancel { job }) if self.holdings.runs(job) => return,
                    // Some were missed; the next renewal, within seconds, brings every cancel.
                    None | Some(Nudge::Cancel { .. } | Nudge::Timer { .. } | Nudge::Kinds | Nudge::Emissions | Nudge::Operations) => {}
                },
            }
        }
    }

    async fn renew(&self) {
        let as_of = (self.parts.clock)();
        let renewal = self.holdings.renewal(self.lease.worker(), as_of, self.subscriber.marks());
        let sent = Instant::now();
        match tokio::time::timeout(LEASE_RENEW_TIMEOUT, self.parts.work.renew(&renewal)).await {
            Ok(Ok(renewed)) => {
                self.lease.renewed(sent);
                self.holdings.told_of(&renewal.ended);
                self.heed(renewed).await;
            }
            Ok(Err(WorkError::Fenced)) => self.lease_lost(),
            Ok(Err(WorkError::Store(error))) => {
                self.count_store_error("renew", &error);
                tracing::warn!(worker.id = %self.lease.worker(), error = %chain(&error), "the lease could not be renewed");
            }
            Err(_) => tracing::warn!(worker.id = %self.lease.worker(), "renewing the lease took too long"),
        }
    }

    async fn heed(&self, renewed: Renewed) {
        self.publish(renewed.emissions).await;
        for (job, run) in renewed.cancels {
            self.holdings.stop(job, run, StopWhy::Cancelled);
        }
        if renewed.handed_back > 0 {
            tracing::warn!(worker.id = %self.lease.worker(), count = renewed.handed_back, "jobs of claims whose replies were lost were handed back");
        }
        renewed.paces.iter().for_each(|pace| self.subscriber.pace(pace));
        if renewed.drain {
            self.drain.cancel();
        }
    }
}
