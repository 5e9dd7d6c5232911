//! How long to wait before the next attempt to connect?

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(10);
/// A connection that stood this long was a good one: what follows is a new trouble.
pub(crate) const STEADY: Duration = Duration::from_secs(10);

/// Doubles up to 10 s. Spread over the whole range, so that the processes of a fleet do not come back in step.
#[derive(Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// `roll` is from 0 up to 1.
    pub(crate) fn next(&mut self, roll: f64) -> Duration {
        let longest = LONGEST.min(SHORTEST * 2u32.saturating_pow(self.failures.saturating_add(1).min(10)));
        self.failures = self.failures.saturating_add(1);
        SHORTEST + (longest - SHORTEST).mul_f64(roll.clamp(0.0, 1.0))
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_between_their_ends() {
        let mut backoff = Backoff::default();
        let longest: Vec<u128> = (0..8).map(|_| backoff.next(1.0).as_millis()).collect();
        assert_eq!(longest, [400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000]);
        assert_eq!(backoff.next(0.0), SHORTEST);
        backoff.reset();
        assert_eq!(backoff.next(0.5).as_millis(), 300);
        assert!((0..100).all(|_| backoff.next(1.0) <= LONGEST), "it does not overflow");
    }
}
