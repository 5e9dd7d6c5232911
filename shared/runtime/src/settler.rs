//! Records ends in groups, and keeps them while the store is away: flush whatever waits as soon as the previous flush
//! returned. No timers, no added latency.

use std::sync::Arc;
use std::time::Duration;

use coordination::Nudge;
use domain::bounds::{FLUSH_JOBS_MAX, SETTLE_BUFFER_MAX, SETTLE_FLUSH_BYTES_MAX};
use domain::{ClaimId, Failure, JobId, Progress, Run};
use store::{End, LogLine, Settled, Settlement, StoreError};
use telemetry::chain;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::patience::Patience;
use crate::term::Term;

/// How long one flush may take before it is tried again; settling twice is harmless.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// An attempt that ended and is to be recorded.
pub(crate) struct Finished {
    pub job: JobId,
    pub run: Run,
    pub claim: ClaimId,
    pub end: End,
    pub logs: Vec<LogLine>,
    pub output: Option<String>,
    /// The last that was reported, whether or not a renewal told it already.
    pub progress: Option<Progress>,
}

impl Finished {
    /// What it will take in the store, about.
    fn bytes(&self) -> usize {
        let result = match &self.end {
            End::Succeeded { result } => result.as_ref().map_or(0, |result| result.len()),
            End::Retry { .. } | End::Deferred { .. } | End::Dead { .. } | End::Cancelled => 0,
        };
        result + self.logs.iter().map(|line| line.message.len()).sum::<usize>() + self.output.as_ref().map_or(0, String::len)
    }

    fn into_settlement(self) -> (Settlement, ClaimId) {
        let Self { job, run, claim, end, logs, output, progress } = self;
        (Settlement { job, run, end, logs, output, progress }, claim)
    }
}

/// The way to the store for ends of one term.
#[derive(Clone)]
pub(crate) struct Settler {
    sender: mpsc::Sender<Finished>,
    term: Arc<Term>,
}

impl Settler {
    /// Starts the one task that flushes. It ends when every sending end is gone and everything is recorded.
    pub(crate) fn start(term: Arc<Term>, settlers: &TaskTracker) -> Self {
        let (sender, mut receiver) = mpsc::channel(SETTLE_BUFFER_MAX);
        let settler = Self { sender, term: Arc::clone(&term) };
        settlers.spawn(async move {
            let mut batch = Vec::new();
            while receiver.recv_many(&mut batch, FLUSH_JOBS_MAX).await > 0 {
                let waiting = i64::try_from(batch.len() + receiver.len()).unwrap_or(i64::MAX);
                term.parts.metrics.worker_settle_backlog.set(waiting);
                while !batch.is_empty() {
                    let rest = batch.split_off(flush_len(&batch));
                    flush(&term, std::mem::replace(&mut batch, rest)).await;
                }
                term.parts.metrics.worker_settle_backlog.set(i64::try_from(receiver.len()).unwrap_or(i64::MAX));
            }
            term.parts.metrics.worker_settle_backlog.set(0);
        });
        settler
    }

    /// Waits only when the buffer is full, which holds the slot: back-pressure.
    pub(crate) async fn settle(&self, finished: Finished) {
        if let Err(mpsc::error::SendError(finished)) = self.sender.send(finished).await {
            // The next renewal does not name its claim any more, so the store gives it back.
            tracing::error!(job.id = %finished.job, job.run = finished.run, "an end could not be recorded: the settler is gone; the job is handed back");
            self.term.holdings.settled(finished.claim, false);
        }
    }
}

/// How many of these fit one flush by their bytes; at least one.
fn flush_len(batch: &[Finished]) -> usize {
    let mut bytes = 0;
    let fits = batch.iter().take_while(|finished| {
        bytes += finished.bytes();
        bytes <= SETTLE_FLUSH_BYTES_MAX
    });
    fits.count().max(1)
}

async fn flush(term: &Term, batch: Vec<Finished>) {
    let (settlements, claims): (Vec<Settlement>, Vec<ClaimId>) = batch.into_iter().map(Finished::into_settlement).unzip();
    let mut recorded = vec![true; settlements.len()];
    if let Err(error) = record(term, &settlements).await {
        tracing::error!(error = %chain(&error), count = settlements.len(), "ends were refused by the store; recording them one by one");
        for (settlement, recorded) in settlements.iter().zip(&mut recorded) {
            *recorded = record_alone(term, settlement).await;
        }
    }
    for (claim, recorded) in claims.into_iter().zip(recorded) {
        term.holdings.settled(claim, recorded);
    }
}

/// A settlement that the store refuses for what is in it is recorded without that: the job must end all the same. Tells whether
/// its end is recorded.
async fn record_alone(term: &Term, settlement: &Settlement) -> bool {
    let Err(error) = record(term, std::slice::from_ref(settlement)).await else { return true };
    let failure = Failure::permanent("end_not_recordable", format!("the store refused to record the attempt's end: {error}"));
    let bare = Settlement { end: End::Dead { failure }, logs: Vec::new(), output: None, progress: None, ..settlement.clone() };
    let recorded = record(term, &[bare]).await;
    if let Err(error) = &recorded {
        tracing::error!(job.id = %settlement.job, job.run = settlement.run, error = %chain(error), "a job's end cannot be recorded; it will be handed back");
    }
    recorded.is_ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(bytes: usize) -> Finished {
        let end = End::Succeeded { result: Some("x".repeat(bytes).into()) };
        Finished {
            job: JobId::from_bytes([0; 16]),
            run: 1,
            claim: ClaimId::from_bytes([0; 16]),
            end,
            logs: Vec::new(),
            output: None,
            progress: None,
        }
    }

    /// I7: a flush is bounded in bytes, and one end alone always fits.
    #[test]
    fn a_flush_is_bounded_in_bytes() {
        let small: Vec<_> = (0..10).map(|_| finished(10)).collect();
        assert_eq!(flush_len(&small), 10);
        let large: Vec<_> = (0..10).map(|_| finished(SETTLE_FLUSH_BYTES_MAX / 3)).collect();
        assert_eq!(flush_len(&large), 3);
        assert_eq!(flush_len(&[finished(SETTLE_FLUSH_BYTES_MAX + 1)]), 1);
    }
}
