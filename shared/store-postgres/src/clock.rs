//! What time is it for this store? The database's time, wherever it is asked.
//!
//! Leases, timers and expiry are judged inside statements, by the database itself. What processes need of it - to mint ids, to date
//! what they write - is an estimate: a sample of the database's clock plus what this process's monotonic clock has measured since.
//! What the host's wall clock shows plays no part in that; how far it is off is only told.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::Timestamp;
use domain::bounds::LEASE_RENEW_TIMEOUT;
use tokio::time::Instant;

/// How far an estimate may be led by a slow answer: samples that took longer are worth less than what is known.
const ROUND_TRIP_MAX: Duration = Duration::from_millis(250);

/// Steps back up to this long are smoothed: long enough for no renewal under way to take a claim of before for one of another.
const STEP_BACK_MAX: Duration = Duration::from_secs(10);
const _: () = assert!(STEP_BACK_MAX.as_secs() > LEASE_RENEW_TIMEOUT.as_secs() + 1, "a renewal must not outlast the smoothing");

/// Nothing here goes by the host's clock; but signatures of webhooks, certificates and logs do, and beyond this something is wrong with
/// one of the two.
pub(crate) const HOST_OFFSET_MAX: Duration = Duration::from_secs(30);

pub(crate) struct Clock {
    started: Instant,
    /// The database's time minus ours, in microseconds.
    offset: AtomicI64,
    /// What tests add to the database's time, in microseconds.
    shift: AtomicI64,
    latest: AtomicI64,
    /// There was a sample.
    is_set: AtomicBool,
}

/// An answer of the database, and how long it took, in microseconds: the quicker, the more it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sample {
    theirs: i64,
    asked: i64,
    pub(crate) round_trip: i64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            offset: AtomicI64::new(0),
            shift: AtomicI64::new(0),
            latest: AtomicI64::new(0),
            is_set: AtomicBool::new(false),
        }
    }

    fn elapsed(&self) -> i64 {
        micros(self.started.elapsed())
    }

    /// When a question for the database's time is sent.
    pub(crate) fn ask(&self) -> i64 {
        self.elapsed()
    }

    /// The database's time, with when it was asked for; it was answered now.
    pub(crate) fn answered(&self, theirs: i64, asked: i64) -> Sample {
        Sample { theirs, asked, round_trip: self.elapsed() - asked }
    }

    /// Goes by a sample from now on, unless it is worth less than what is known.
    pub(crate) fn believe(&self, sample: Sample) {
        let Sample { theirs, asked, round_trip } = sample;
        if self.is_set.swap(true, Ordering::AcqRel) && round_trip > micros(ROUND_TRIP_MAX) {
            return;
        }
        self.offset.store(theirs - (asked + round_trip / 2), Ordering::Release);
    }

    /// Does not go back for less than [`STEP_BACK_MAX`]: durations rely on it.
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.elapsed() + self.offset.load(Ordering::Acquire) + self.shift();
        let before = self.latest.fetch_max(now, Ordering::AcqRel);
        if before - now > micros(STEP_BACK_MAX) {
            // What is dated by a time that was wrong must not stay ahead of the database for as long as that was ahead.
            self.latest.store(now, Ordering::Release);
            return Timestamp::from_micros(now);
        }
        Timestamp::from_micros(before.max(now))
    }

    /// Whether the host's clock is as good as the database's.
    pub(crate) fn is_near_the_hosts(&self) -> bool {
        #[expect(clippy::disallowed_methods, reason = "the host's clock is what is looked at; nothing but readiness is decided by it")]
        let host = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ours = self.elapsed() + self.offset.load(Ordering::Acquire);
        (ours - micros(host)).abs() <= micros(HOST_OFFSET_MAX)
    }

    /// What statements add to the database's time; 0 outside of tests.
    pub(crate) fn shift(&self) -> i64 {
        self.shift.load(Ordering::Acquire)
    }

    /// Lets time pass, for tests.
    pub(crate) fn advance(&self, by: Duration) {
        self.shift.fetch_add(micros(by), Ordering::AcqRel);
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_databases_time_goes_on_by_our_own_measure() {
        let clock = Clock::new();
        let asked = clock.ask();
        tokio::time::advance(Duration::from_millis(20)).await;
        clock.believe(clock.answered(1_000_000_000, asked));
        assert_eq!(clock.now().micros(), 1_000_000_000 + 10_000, "half the round trip has passed since");
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(clock.now().micros(), 1_005_010_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_changes_nothing_and_time_hardly_goes_back() {
        let clock = Clock::new();
        clock.believe(clock.answered(1_000_000_000, clock.ask()));
        let asked = clock.ask();
        tokio::time::advance(Duration::from_secs(2)).await;
        clock.believe(clock.answered(9_000_000_000, asked));
        assert_eq!(clock.now().micros(), 1_002_000_000);
        clock.believe(clock.answered(1_001_000_000, clock.ask()));
        assert_eq!(clock.now().micros(), 1_002_000_000, "it stands rather than go back a little");
        clock.believe(clock.answered(500_000_000, clock.ask()));
        assert_eq!(clock.now().micros(), 500_000_000, "and follows when the database's own clock was wrong");
    }

    #[tokio::test(start_paused = true)]
    async fn tests_can_move_it_on() {
        let clock = Clock::new();
        clock.believe(clock.answered(1_000_000, clock.ask()));
        clock.advance(Duration::from_secs(60));
        assert_eq!((clock.now().micros(), clock.shift()), (61_000_000, 60_000_000));
    }
}
