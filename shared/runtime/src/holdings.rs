//! What a worker holds at this moment: its claims, and the jobs it runs with the means to stop them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::OnceLock;

use domain::bounds::ENDED_CLAIMS_MAX;
use domain::{ClaimId, ClassMark, JobId, Progress, Run, Timestamp, WorkerId};
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
    /// Claims in flight or with unsettled jobs.
    claims: HashMap<ClaimId, Held>,
    running: HashMap<(JobId, Run), Running>,
    /// Claims that are settled to the last job, and of which the store was not told yet.
    ended: Vec<ClaimId>,
}

/// What is left of a claim.
struct Held {
    /// Its unsettled jobs; 0 while in flight.
    left: usize,
    /// The ends of all the others are recorded, so that the store need not look for them.
    all_recorded: bool,
}

impl Held {
    fn of(left: usize) -> Self {
        Self { left, all_recorded: true }
    }
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
        self.inner.lock().claims.insert(claim, Held::of(0));
    }

    /// A claim was answered with `jobs` jobs.
    pub(crate) fn claimed(&self, claim: ClaimId, jobs: usize) {
        let mut inner = self.inner.lock();
        if jobs == 0 {
            inner.claims.remove(&claim);
        } else {
            inner.claims.insert(claim, Held::of(jobs));
        }
    }

    /// We are done with a job. Not `recorded`: the store may still think that it runs, and finds out by the claim.
    pub(crate) fn settled(&self, claim: ClaimId, recorded: bool) {
        let mut inner = self.inner.lock();
        if let Some(held) = inner.claims.get_mut(&claim) {
            held.left = held.left.saturating_sub(1);
            held.all_recorded &= recorded;
            let all_recorded = held.all_recorded;
            if held.left == 0 {
                inner.claims.remove(&claim);
                // With more of them, the store finds out by itself.
                if all_recorded && inner.ended.len() < ENDED_CLAIMS_MAX {
                    inner.ended.push(claim);
                }
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
    pub(crate) fn renewal(&self, worker: WorkerId, as_of: Timestamp, marks: Vec<ClassMark>) -> Renewal {
        let mut inner = self.inner.lock();
        let news = inner.running.iter_mut().filter_map(|((job, run), running)| {
            let is_news = std::mem::take(&mut running.is_news);
            Some((*job, *run, running.progress.clone().filter(|_| is_news)?))
        });
        let progress = news.collect();
        Renewal { worker, as_of, held: inner.claims.keys().copied().collect(), progress, marks, ended: inner.ended.clone() }
    }

    /// The store was told of these.
    pub(crate) fn told_of(&self, ended: &[ClaimId]) {
        let told: HashSet<&ClaimId> = ended.iter().collect();
        self.inner.lock().ended.retain(|claim| !told.contains(claim));
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
        let held = || holdings.renewal(WorkerId::from_bytes([2; 16]), Timestamp::default(), Vec::new()).held;
        holdings.claiming(claim);
        assert_eq!(held(), vec![claim], "in flight counts as held");
        holdings.claimed(claim, 2);
        holdings.settled(claim, true);
        assert_eq!(held(), vec![claim]);
        holdings.settled(claim, true);
        assert_eq!(held(), Vec::new());
    }

    /// I3: what the store still thinks to be running must stay findable by its claim.
    #[test]
    fn only_claims_that_are_recorded_to_the_last_job_are_told_as_ended() {
        let holdings = Holdings::default();
        let claims = [1, 2].map(|n| ClaimId::from_bytes([n; 16]));
        let ended = || holdings.renewal(WorkerId::from_bytes([2; 16]), Timestamp::default(), Vec::new()).ended;
        for claim in claims {
            holdings.claiming(claim);
            holdings.claimed(claim, 2);
            holdings.settled(claim, claim == claims[0]);
            holdings.settled(claim, true);
        }
        assert_eq!(ended(), [claims[0]]);
        assert_eq!(ended(), [claims[0]], "until the store was told");
        holdings.told_of(&[claims[0]]);
        assert_eq!(ended(), []);
    }

    #[test]
    fn the_first_reason_to_stop_counts() {
        let stopper = Stopper::default();
        stopper.stop(StopWhy::Cancelled);
        stopper.stop(StopWhy::Drain);
        assert_eq!(stopper.why(), Some(StopWhy::Cancelled));
    }
}
