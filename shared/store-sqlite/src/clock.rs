//! What time is it for this store?

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::Timestamp;

/// The store's clock: the process's, never going back, plus an offset that tests can move.
#[derive(Default)]
pub(crate) struct Clock {
    latest: AtomicI64,
    offset: AtomicI64,
}

impl Clock {
    pub(crate) fn now(&self) -> Timestamp {
        let shifted = system_micros().saturating_add(self.offset.load(Ordering::Relaxed));
        // Ids and leases rely on it: a host clock that is set back must not take the store's with it.
        let latest = self.latest.fetch_max(shifted, Ordering::Relaxed).max(shifted);
        Timestamp::from_micros(latest)
    }

    pub(crate) fn shift(&self, by: Duration) {
        self.offset.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

#[expect(clippy::disallowed_methods, reason = "the store owns the fleet's clock; everybody else asks it")]
fn system_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_goes_back_and_can_be_moved_on() {
        let clock = Clock::default();
        let before = clock.now();
        clock.shift(Duration::from_secs(60));
        let after = clock.now();
        assert!(after >= before + Duration::from_secs(60));
        clock.offset.store(0, Ordering::Relaxed);
        assert!(clock.now() >= after);
    }
}
