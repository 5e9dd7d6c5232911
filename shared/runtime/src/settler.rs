//! Records ends in groups, and keeps them while the store is away: flush whatever waits as soon as the previous flush
//! returned. No timers, no added latency.

use std::sync::Arc;
use std::time::Duration;

use coordination::Nudge;
use domain::bounds::{FLUSH_JOBS_MAX, SETTLE_BUFFER_MAX};
use domain::{ClaimId, Failure, JobId, Run};
use store::{End, LogLine, Settled, Settlement, StoreError};
use telemetry::chain;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::patience::Patience;
use crate::term::Term;

/// How long one flush may take before it is tried again; settling twice is harmless.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// An attempt that ended and is to be recorded.
#[derive(Clone)]
pub(crate) struct Finished {
    pub job: JobId,
    pub run: Run,
    pub claim: ClaimId,
    pub end: End,
    pub logs: Vec<LogLine>,
    pub output: Option<String>,
}

/// The way to the store for ends of one term.
#[derive(Clone)]
pub(crate) struct Settler {
    sender: mpsc::Sender<Finished>,
}

impl Settler {
    /// Starts the one task that flushes. It ends when every sending end is gone and everything is recorded.
    pub(crate) fn start(term: Arc<Term>) -> (Self, JoinHandle<()>) {
        let (sender, mut receiver) = mpsc::channel(SETTLE_BUFFER_MAX);
        let task = tokio::spawn(async move {
            let mut batch = Vec::new();
            while receiver.recv_many(&mut batch, FLUSH_JOBS_MAX).await > 0 {
                let waiting = i64::try_from(batch.len() + receiver.len()).unwrap_or(i64::MAX);
                term.parts.metrics.worker_settle_backlog.set(waiting);
                flush(&term, std::mem::take(&mut batch)).await;
            }
            term.parts.metrics.worker_settle_backlog.set(0);
        });
        (Self { sender }, task)
    }

    /// Waits only when the buffer is full, which holds the slot: back-pressure.
    pub(crate) async fn settle(&self, finished: Finished) {
        if self.sender.send(finished).await.is_err() {
            tracing::error!("the settler is gone; the rescuer will find its jobs");
        }
    }
}

async fn flush(term: &Term, batch: Vec<Finished>) {
    let settlements: Vec<Settlement> = batch.iter().map(Finished::settlement).collect();
    if let Err(error) = record(term, &settlements).await {
        tracing::error!(error = %chain(&error), count = batch.len(), "ends were refused by the store; recording them one by one");
        for settlement in &settlements {
            record_alone(term, settlement).await;
        }
    }
    batch.iter().for_each(|finished| term.holdings.settled(finished.claim));
}

/// A settlement that the store refuses for what is in it is recorded without that: the job must end all the same.
async fn record_alone(term: &Term, settlement: &Settlement) {
    let Err(error) = record(term, std::slice::from_ref(settlement)).await else { return };
    let failure = Failure::permanent("end_not_recordable", format!("the store refused to record the attempt's end: {error}"));
    let bare = Settlement { end: End::Dead { failure }, logs: Vec::new(), output: None, progress: None, ..settlement.clone() };
    if let Err(error) = record(term, &[bare]).await {
        tracing::error!(job.id = %settlement.job, job.run = settlement.run, error = %chain(&error), "a job's end cannot be recorded; it will be handed back");
    }
}

/// Tries until the store answers. An error is one that trying again cannot mend.
async fn record(term: &Term, settlements: &[Settlement]) -> Result<(), StoreError> {
    let mut patience = Patience::default();
    loop {
        match tokio::time::timeout(FLUSH_TIMEOUT, term.parts.work.settle(term.lease.worker(), settlements)).await {
            Ok(Ok(settled)) => {
                recorded(term, settled).await;
                return Ok(());
            }
            Ok(Err(error @ StoreError::Broken { .. })) => {
                term.count_store_error("settle", &error);
                return Err(error);
            }
            Ok(Err(error @ (StoreError::Unavailable { .. } | StoreError::Full { .. }))) => {
                term.count_store_error("settle", &error);
                tracing::warn!(error = %chain(&error), count = settlements.len(), "ends wait: the store does not take them");
            }
            Err(_) => tracing::warn!(count = settlements.len(), "ends wait: the store did not answer in time"),
        }
        patience.wait().await;
    }
}

async fn recorded(term: &Term, settled: Settled) {
    for (job, run) in &settled.lost {
        tracing::warn!(job.id = %job, job.run = run, worker.id = %term.lease.worker(), "this attempt's end does not count: the job was rescued meanwhile");
    }
    term.publish(settled.emissions).await;
    if let Some(at) = settled.next_timer {
        term.parts.nudges.nudge(Nudge::Timer { at });
    }
}
