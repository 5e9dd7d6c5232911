//! What time is it for this store?
//!
//! Two clocks. The wall clock dates what people and timers see; it follows the host's, whatever that does. The lease clock
//! measures leases; it is steady, because a healthy worker must not be fenced by a host that is set to another time, nor a
//! dead one live on. A process that opens the database has it to itself, so that all live workers are measured by this very
//! clock; those of earlier processes are dead and are declared so.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Steps back up to this long are smoothed: ids and durations rely on a clock that stands rather than go back.
const STEP_BACK_MAX: Duration = Duration::from_secs(5);

pub(crate) struct Clock {
    opened: Instant,
    opened_at: Timestamp,
    wall: Mutex<Wall>,
}

#[derive(Default)]
struct Wall {
    latest: Timestamp,
    /// What tests add to the host's clock, in microseconds.
    shift: i64,
    /// What they add to the lease clock.
    steady_shift: Duration,
}

impl Default for Clock {
    fn default() -> Self {
        // The lease clock starts with the wall's time, so that leases of different processes stay comparable for people.
        Self { opened: Instant::now(), opened_at: Timestamp::from_micros(system_micros()), wall: Mutex::default() }
    }
}

impl Clock {
    /// The wall clock.
    pub(crate) fn now(&self) -> Timestamp {
        let mut wall = self.wall.lock();
        let now = Timestamp::from_micros(system_micros().saturating_add(wall.shift));
        let back = wall.latest.since(now);
        if back > STEP_BACK_MAX {
            tracing::warn!(step_secs = back.as_secs(), "the host's clock was set back, and the store's follows it");
            wall.latest = now;
        }
        wall.latest = wall.latest.max(now);
        wall.latest
    }

    /// The lease clock.
    pub(crate) fn steady(&self) -> Timestamp {
        let shift = self.wall.lock().steady_shift;
        self.opened_at + self.opened.elapsed() + shift
    }

    /// When the lease clock will show `at`, by the wall clock.
    pub(crate) fn on_the_wall(&self, at: Timestamp) -> Timestamp {
        let (steady, now) = (self.steady(), self.now());
        now + at.since(steady) - steady.since(at)
    }

    /// Lets time pass, for tests.
    pub(crate) fn shift(&self, by: Duration) {
        self.set_wall(micros(by));
        self.wall.lock().steady_shift += by;
    }

    /// Sets the host's clock, for tests: nothing but the wall clock notices.
    pub(crate) fn set_wall(&self, by_micros: i64) {
        let mut wall = self.wall.lock();
        wall.shift = wall.shift.saturating_add(by_micros);
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "the store owns the fleet's clock; everybody else asks it")]
fn system_micros() -> i64 {
    micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn both_clocks_can_be_moved_on() {
        let clock = Clock::default();
        let (wall, steady) = (clock.now(), clock.steady());
        clock.shift(MINUTE);
        assert!(clock.now() >= wall + MINUTE && clock.steady() >= steady + MINUTE);
        assert!(clock.now() < wall + MINUTE * 2 && clock.steady() < steady + MINUTE * 2);
    }

    #[test]
    fn a_small_step_back_stands_still_and_a_large_one_is_followed() {
        let clock = Clock::default();
        let before = clock.now();
        clock.set_wall(-4_000_000);
        assert_eq!(clock.now(), clock.now());
        assert!(clock.now() >= before);
        clock.set_wall(-60_000_000);
        let after = clock.now();
        assert!(after < before && after + MINUTE * 2 > before, "{after}");
        assert!(clock.now() >= after);
    }

    #[test]
    fn the_lease_clock_does_not_notice_what_the_host_is_set_to() {
        let clock = Clock::default();
        let lease = clock.steady() + MINUTE;
        for hours in [5, -9] {
            clock.set_wall(hours * 3_600_000_000);
            assert!(clock.steady() + MINUTE >= lease && clock.steady() < lease);
            let (shown, now) = (clock.on_the_wall(lease), clock.now());
            assert!(shown <= now + MINUTE && shown > now + MINUTE / 2, "{shown} at {now}");
        }
        let over = clock.on_the_wall(clock.steady() - MINUTE);
        assert!(over < clock.now() - MINUTE / 2, "{over}");
    }
}
