//! What policy decides about an outcome. Pure: the clock and the dice are arguments.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bounds::{ATTEMPTS_MAX, RATE_LIMIT_WAIT_MAX};
use crate::{Failure, FailureClass, Outcome, Timestamp, WaitingFor};

/// How long to wait before the next attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Full jitter: anything between zero and `base × 2^(attempt-1)`, at most `cap`.
    Exponential { base_ms: u64, cap_ms: u64 },
    /// The same delay each time.
    Fixed { delay_ms: u64 },
}

/// When to stop trying.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// After the job's `max_attempts`.
    Attempts,
    /// When this long has passed since the job was accepted (or was due), however many attempts that is, up to [`ATTEMPTS_MAX`].
    Elapsed { ms: u64 },
}

/// What to do about failures that may pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RetryPolicy {
    pub backoff: Backoff,
    pub stop: Stop,
}

impl Default for RetryPolicy {
    /// Exponential from 2 s to 10 min, until the attempts are used up.
    fn default() -> Self {
        Self { backoff: Backoff::Exponential { base_ms: 2_000, cap_ms: 600_000 }, stop: Stop::Attempts }
    }
}

/// What is known of the attempt a verdict is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attempted {
    /// This attempt's number, from 1.
    pub attempt: u16,
    pub max_attempts: u16,
    /// When the job was first due.
    pub due_at: Timestamp,
}

/// What policy decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    Succeed {
        result: Option<Box<str>>,
    },
    /// Another attempt at this time.
    Retry {
        at: Timestamp,
        failure: Failure,
    },
    /// Wait until this time; the attempt is given back. The store counts how often a job was deferred, and past
    /// [`crate::bounds::FREE_DEFERRALS_MAX`] it costs the attempt all the same: a loop has a stop (I7).
    Defer {
        at: Timestamp,
        failure: Failure,
    },
    /// Wait until this key is freed (or at once, without a key); the attempt is given back.
    Park {
        reason: WaitingFor,
        key: Option<String>,
    },
    Die {
        failure: Failure,
    },
    Cancel,
}

impl RetryPolicy {
    /// Decides what follows from `outcome`. `roll` is uniform in `[0, 1)`.
    pub fn verdict(&self, outcome: Outcome, on: Attempted, now: Timestamp, roll: f64) -> Verdict {
        match outcome {
            Outcome::Succeeded { result } => Verdict::Succeed { result },
            Outcome::Deferred { reason, key } => Verdict::Park { reason, key },
            Outcome::Failed(failure) => match failure.class {
                FailureClass::Cancelled => Verdict::Cancel,
                FailureClass::Permanent | FailureClass::CredentialsExpired => Verdict::Die { failure },
                FailureClass::RateLimited { until } => Verdict::Defer { at: until.clamp(now, now + RATE_LIMIT_WAIT_MAX), failure },
                FailureClass::Transient | FailureClass::Timeout | FailureClass::Panicked => self.retry_or_die(failure, on, now, roll),
            },
        }
    }

    fn retry_or_die(&self, failure: Failure, on: Attempted, now: Timestamp, roll: f64) -> Verdict {
        let floor = failure.not_before.map_or(now, |at| at.clamp(now, now + RATE_LIMIT_WAIT_MAX));
        let at = floor.max(now + self.backoff.delay(on.attempt, roll));
        if self.gives_up(on, at) { Verdict::Die { failure } } else { Verdict::Retry { at, failure } }
    }

    fn gives_up(&self, on: Attempted, next: Timestamp) -> bool {
        match self.stop {
            Stop::Attempts => on.attempt >= on.max_attempts,
            Stop::Elapsed { ms } => on.attempt >= ATTEMPTS_MAX || next > on.due_at + Duration::from_millis(ms),
        }
    }
}

impl Backoff {
    /// The delay after attempt number `attempt` (from 1).
    pub fn delay(&self, attempt: u16, roll: f64) -> Duration {
        match *self {
            Self::Fixed { delay_ms } => Duration::from_millis(delay_ms),
            Self::Exponential { base_ms, cap_ms } => {
                let doublings = u32::from(attempt.saturating_sub(1)).min(40);
                let ceiling_ms = base_ms.saturating_mul(1_u64 << doublings).min(cap_ms);
                Duration::from_millis(ceiling_ms).mul_f64(roll.clamp(0.0, 1.0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);
    const FIRST: Attempted = Attempted { attempt: 1, max_attempts: 3, due_at: NOW };

    fn failed(class: FailureClass) -> Outcome {
        Outcome::Failed(Failure::new(class, "code", "message"))
    }

    fn verdict(outcome: Outcome, on: Attempted) -> Verdict {
        RetryPolicy::default().verdict(outcome, on, NOW, 0.5)
    }

    #[test]
    fn a_transient_failure_is_retried_until_the_attempts_are_used_up() {
        for class in [FailureClass::Transient, FailureClass::Timeout, FailureClass::Panicked] {
            let Verdict::Retry { at, .. } = verdict(failed(class), FIRST) else { panic!("{class:?} must be retried") };
            assert_eq!(at, NOW + Duration::from_secs(1), "half of two seconds");
            assert!(matches!(verdict(failed(class), Attempted { attempt: 3, ..FIRST }), Verdict::Die { .. }), "{class:?}");
        }
    }

    #[test]
    fn a_permanent_failure_dies_at_once() {
        for class in [FailureClass::Permanent, FailureClass::CredentialsExpired] {
            assert!(matches!(verdict(failed(class), FIRST), Verdict::Die { .. }), "{class:?}");
        }
        assert_eq!(verdict(failed(FailureClass::Cancelled), FIRST), Verdict::Cancel);
    }

    #[test]
    fn a_rate_limit_waits_as_told_within_a_day() {
        let until = NOW + Duration::from_secs(90);
        let limited = |until| failed(FailureClass::RateLimited { until });
        let last = Attempted { attempt: 3, ..FIRST };
        assert!(matches!(verdict(limited(until), last), Verdict::Defer { at, .. } if at == until));
        let absurd = verdict(limited(NOW + Duration::from_secs(u64::from(u32::MAX))), last);
        assert!(matches!(absurd, Verdict::Defer { at, .. } if at == NOW + RATE_LIMIT_WAIT_MAX));
    }

    #[test]
    fn the_other_side_sets_a_floor_under_the_delay() {
        let at = NOW + Duration::from_secs(30);
        let failure = Failure::transient("code", "message").not_before(at);
        assert!(matches!(verdict(Outcome::Failed(failure), FIRST), Verdict::Retry { at: got, .. } if got == at));
    }

    #[test]
    fn until_elapsed_counts_time_and_not_attempts() {
        let policy = RetryPolicy { backoff: Backoff::Fixed { delay_ms: 1_000 }, stop: Stop::Elapsed { ms: 60_000 } };
        let on = |due_at, attempt| Attempted { attempt, max_attempts: 1, due_at };
        let young = policy.verdict(failed(FailureClass::Transient), on(NOW, 9), NOW, 0.9);
        assert!(matches!(young, Verdict::Retry { .. }));
        let old = policy.verdict(failed(FailureClass::Transient), on(NOW - Duration::from_secs(60), 1), NOW, 0.9);
        assert!(matches!(old, Verdict::Die { .. }));
        let often = policy.verdict(failed(FailureClass::Transient), on(NOW, ATTEMPTS_MAX), NOW, 0.9);
        assert!(matches!(often, Verdict::Die { .. }));
    }

    proptest! {
        #[test]
        fn delays_stay_under_the_cap_and_ceilings_never_shrink(attempt in 1_u16..=u16::MAX, roll in 0.0_f64..1.0, base_ms in 0_u64..100_000, cap_ms in 0_u64..10_000_000) {
            let backoff = Backoff::Exponential { base_ms, cap_ms };
            prop_assert!(backoff.delay(attempt, roll) <= Duration::from_millis(cap_ms));
            prop_assert!(backoff.delay(attempt, 1.0) <= backoff.delay(attempt.saturating_add(1), 1.0));
        }
    }
}
