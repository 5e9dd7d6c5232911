//! What a worker holds at this moment: its claims, and the jobs it runs with the means to stop them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;

use domain::{ClaimId, JobId, Progress, Run, Timestamp, WorkerId};
use parking_lot::Mutex;
use store::Renewal;
use tokio_util::sync::CancellationToken;

/// Why a handler is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopWhy {
    /// Somebody cancelled the job.
    Cancelled,
    /// Its time is up.
    Deadline,
    /// The worker is going down: the job is handed back.
    Drain,
    /// The lease is over: whatever it does now may be somebody else's.
    LeaseOver,
}

/// The means to stop one attempt; the first reason counts.
#[derive(Clone, Default)]
pub(crate) struct Stopper {
    token: CancellationToken,
    why: Arc<OnceLock<StopWhy>>,
}

impl Stopper {
    pub(crate) fn stop(&self, why: StopWhy) {
        let _ = self.why.set(why);
        self.token.cancel();
    }

    pub(crate) fn why(&self) -> Option<StopWhy> {
        self.why.get().copied()
    }

    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }
}

#[derive(Default)]
pub(crate) struct Holdings {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Claims in flight or with unsettled jobs, with the number of those; 0 while in flight.
    claims: HashMap<ClaimId, usize>,
    running: HashMap<(JobId, Run), Running>,
}

struct Running {
    stopper: Stopper,
    progress: Option<Progress>,
    /// The store has not been told of it.
    is_news: bool,
}

impl Holdings {
    /// Before a claim is sent, so that a renewal in between does not take its jobs for strangers.
    pub(crate) fn claiming(&self, claim: ClaimId) {
        self.inner.lock().claims.insert(claim, 0);
    }

    /// A claim was answered with `jobs` jobs.
    pub(crate) fn claimed(&self, claim: ClaimId, jobs: usize) {
        let mut inner = self.inner.lock();
        if jobs == 0 {
            inner.claims.remove(&claim);
        } else {
            inner.claims.insert(claim, jobs);
        }
    }

    /// A job's end is recorded (or its claim is known to be lost).
    pub(crate) fn settled(&self, claim: ClaimId) {
        let mut inner = self.inner.lock();
        if let Some(left) = inner.claims.get_mut(&claim) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                inner.claims.remove(&claim);
            }
        }
    }

    pub(crate) fn started(&self, job: JobId, run: Run) -> Stopper {
        let stopper = Stopper::default();
        self.inner.lock().running.insert((job, run), Running { stopper: stopper.clone(), progress: None, is_news: false });
        stopper
    }

    /// Returns the last progress it reported.
    pub(crate) fn ended(&self, job: JobId, run: Run) -> Option<Progress> {
        self.inner.lock().running.remove(&(job, run))?.progress
    }

    pub(crate) fn progress(&self, job: JobId, run: Run, progress: Progress) {
        if let Some(running) = self.inner.lock().running.get_mut(&(job, run)) {
            running.progress = Some(progress);
            running.is_news = true;
        }
    }

    /// What a renewal of `worker` tells: the claims, and progress since the last one. `as_of` was read before this call, so a
    /// claim that is not in here was made after it.
    pub(crate) fn renewal(&self, worker: WorkerId, as_of: Timestamp) -> Renewal {
        let mut inner = self.inner.lock();
        let news = inner.running.iter_mut().filter_map(|((job, run), running)| {
            let is_news = std::mem::take(&mut running.is_news);
            Some((*job, *run, running.progress.clone().filter(|_| is_news)?))
        });
        let progress = news.collect();
        Renewal { worker, as_of, held: inner.claims.keys().copied().collect(), progress }
    }

    pub(crate) fn stop(&self, job: JobId, run: Run, why: StopWhy) {
        if let Some(running) = self.inner.lock().running.get(&(job, run)) {
            running.stopper.stop(why);
        }
    }

    /// Stops whatever runs; returns how many.
    pub(crate) fn stop_all(&self, why: StopWhy) -> usize {
        let inner = self.inner.lock();
        inner.running.values().for_each(|running| running.stopper.stop(why));
        inner.running.len()
    }

    /// How many jobs run.
    pub(crate) fn running(&self) -> usize {
        self.inner.lock().running.len()
    }

    pub(crate) fn runs(&self, job: JobId) -> bool {
        self.inner.lock().running.keys().any(|(id, _)| *id == job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_held_until_its_last_job_is_settled() {
        let holdings = Holdings::default();
        let claim = ClaimId::from_bytes([1; 16]);
        let held = || holdings.renewal(WorkerId::from_bytes([2; 16]), Timestamp::default()).held;
        holdings.claiming(claim);
        assert_eq!(held(), vec![claim], "in flight counts as held");
        holdings.claimed(claim, 2);
        holdings.settled(claim);
        assert_eq!(held(), vec![claim]);
        holdings.settled(claim);
        assert_eq!(held(), Vec::new());
    }

    #[test]
    fn the_first_reason_to_stop_counts() {
        let stopper = Stopper::default();
        stopper.stop(StopWhy::Cancelled);
        stopper.stop(StopWhy::Drain);
        assert_eq!(stopper.why(), Some(StopWhy::Cancelled));
    }
}
