//! A worker's right to run jobs, judged by its own monotonic clock: from *before* the last successful renewal was sent.

use domain::WorkerId;
use domain::bounds::LEASE_FOR;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// One worker id's lease. Over is over: there is no way back, only a new id.
pub(crate) struct Lease {
    worker: WorkerId,
    valid_until: Mutex<Instant>,
    over: CancellationToken,
}

impl Lease {
    /// A lease granted by a call that was sent at `sent`.
    pub(crate) fn granted(worker: WorkerId, sent: Instant) -> Self {
        Self { worker, valid_until: Mutex::new(sent + LEASE_FOR), over: CancellationToken::new() }
    }

    pub(crate) fn worker(&self) -> WorkerId {
        self.worker
    }

    pub(crate) fn is_live(&self) -> bool {
        !self.over.is_cancelled() && Instant::now() < *self.valid_until.lock()
    }

    pub(crate) fn renewed(&self, sent: Instant) {
        let mut valid_until = self.valid_until.lock();
        *valid_until = (*valid_until).max(sent + LEASE_FOR);
    }

    pub(crate) fn end(&self) {
        self.over.cancel();
    }

    /// Waits until the lease is over, by fence or by time.
    pub(crate) async fn over(&self) {
        loop {
            let valid_until = *self.valid_until.lock();
            tokio::select! {
                () = self.over.cancelled() => return,
                () = tokio::time::sleep_until(valid_until) => {
                    if !self.is_live() {
                        self.over.cancel();
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::bounds::LEASE_RENEW_EVERY;

    fn worker() -> WorkerId {
        WorkerId::from_bytes([7; 16])
    }

    /// I3: the lease ends by the worker's own clock, counted from before the renewal was sent.
    #[tokio::test(start_paused = true)]
    async fn a_lease_ends_by_itself_and_stays_over() {
        let start = Instant::now();
        let lease = Lease::granted(worker(), start);
        tokio::time::advance(LEASE_RENEW_EVERY).await;
        lease.renewed(start + LEASE_RENEW_EVERY);
        lease.over().await;
        assert_eq!(start.elapsed(), LEASE_RENEW_EVERY + LEASE_FOR);
        lease.renewed(Instant::now());
        assert!(!lease.is_live(), "a late reply does not bring it back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_fence_ends_it_at_once() {
        let lease = Lease::granted(worker(), Instant::now());
        assert!(lease.is_live());
        lease.end();
        assert!(!lease.is_live());
        lease.over().await;
    }
}
