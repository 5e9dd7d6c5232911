//! In which ways does a job end? Every one of them, to be walked by cases about what an end must do.

use std::sync::Arc;

use domain::{Emission, JobId, JobState, NewJob};

use super::Fixture;
use super::bench::Bench;
use super::sample::{LEASE_OVER, SECOND, a_death, a_failure, a_success, no_worker};
use crate::End;

/// A way to a terminal state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    Succeeded,
    Dead,
    CancelledQueued,
    CancelledWaiting,
    CancelledParked,
    /// The handler obeyed.
    CancelledRunning,
    /// The attempt failed for now, but a cancel was asked for.
    CancelledInsteadOfRetry,
    ExpiredByPromoter,
    ExpiredByClaim,
    DeadByRescue,
    CancelledByRescue,
    /// Given back at a renewal that did not name it, after a cancel was asked for.
    CancelledByHandBack,
}

impl Ending {
    pub const ALL: [Self; 12] = [
        Self::Succeeded,
        Self::Dead,
        Self::CancelledQueued,
        Self::CancelledWaiting,
        Self::CancelledParked,
        Self::CancelledRunning,
        Self::CancelledInsteadOfRetry,
        Self::ExpiredByPromoter,
        Self::ExpiredByClaim,
        Self::DeadByRescue,
        Self::CancelledByRescue,
        Self::CancelledByHandBack,
    ];

    pub const fn state(self) -> JobState {
        match self {
            Self::Succeeded => JobState::Succeeded,
            Self::Dead | Self::DeadByRescue => JobState::Dead,
            Self::ExpiredByPromoter | Self::ExpiredByClaim => JobState::Expired,
            Self::CancelledQueued
            | Self::CancelledWaiting
            | Self::CancelledParked
            | Self::CancelledRunning
            | Self::CancelledInsteadOfRetry
            | Self::CancelledByRescue
            | Self::CancelledByHandBack => JobState::Cancelled,
        }
    }

    /// What this way needs of the submission.
    fn prepared(self, b: &Bench, job: NewJob) -> NewJob {
        match self {
            Self::ExpiredByPromoter | Self::ExpiredByClaim => NewJob { start_before: Some(b.now() + SECOND), ..job },
            Self::CancelledWaiting => NewJob { run_at: Some(b.now() + SECOND * 3_600), ..job },
            Self::DeadByRescue => NewJob { max_attempts: 1, ..job },
            Self::Succeeded
            | Self::Dead
            | Self::CancelledQueued
            | Self::CancelledParked
            | Self::CancelledRunning
            | Self::CancelledInsteadOfRetry
            | Self::CancelledByRescue
            | Self::CancelledByHandBack => job,
        }
    }

    /// Takes `job` in and brings it to this end; returns what the ending call gave for the broker.
    pub async fn reach(self, b: &Bench, f: &dyn Fixture, job: NewJob) -> (JobId, Vec<Emission>) {
        let id = b.put(self.prepared(b, job)).await;
        let emissions = self.finish(b, f, id).await;
        assert_eq!(b.state(id).await, self.state(), "{self:?}");
        (id, emissions)
    }

    async fn finish(self, b: &Bench, f: &dyn Fixture, id: JobId) -> Vec<Emission> {
        match self {
            Self::Succeeded => settle(b, id, a_success(), false).await,
            Self::Dead => settle(b, id, a_death(), false).await,
            Self::CancelledRunning => settle(b, id, End::Cancelled, true).await,
            Self::CancelledInsteadOfRetry => settle(b, id, End::Retry { at: b.now(), failure: a_failure() }, true).await,
            Self::CancelledQueued | Self::CancelledWaiting => b.cancel(id).await.expect("cancels").emissions,
            Self::CancelledParked => {
                let class = super::sample::class();
                b.store.park(&class, &[id], &no_worker()).await.expect("parks");
                b.cancel(id).await.expect("cancels").emissions
            }
            Self::ExpiredByPromoter => {
                f.advance(SECOND * 2);
                b.promote().await.emissions
            }
            Self::ExpiredByClaim => {
                f.advance(SECOND * 2);
                let worker = b.worker().await;
                let claimed = b.store.claim(&b.claim_of(worker, &[id])).await.expect("claims");
                assert_eq!(claimed.jobs, [], "a late job is not started");
                claimed.emissions
            }
            Self::DeadByRescue => b.crash(f, id).await.emissions,
            Self::CancelledByRescue => {
                let worker = b.worker().await;
                b.take(worker, id).await;
                b.cancel(id).await.expect("asks");
                f.advance(LEASE_OVER);
                b.rescue().await.emissions
            }
            Self::CancelledByHandBack => {
                let worker = b.worker().await;
                b.take(worker, id).await;
                b.cancel(id).await.expect("asks");
                b.renew(worker, &[]).await.expect("renews").emissions
            }
        }
    }
}

async fn settle(b: &Bench, id: JobId, end: End, cancel: bool) -> Vec<Emission> {
    let worker = b.worker().await;
    let claimed = b.take(worker, id).await;
    if cancel {
        b.cancel(id).await.expect("asks");
    }
    b.end(worker, &claimed, end).await.emissions
}

/// A submission that wants to be told of its end.
pub fn with_callback(job: NewJob) -> NewJob {
    NewJob { callback_url: Some("https://example.com/told".to_owned()), payload: Arc::from("{}"), ..job }
}
