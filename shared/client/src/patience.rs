//! When is a call that failed sent again, and after how long?

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::Error;

/// How often and how long a call is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Patience {
    /// The first try included.
    pub tries_max: u32,
    /// The wait after the first failure; doubled after each further one, up to `wait_max`.
    pub wait_first: Duration,
    pub wait_max: Duration,
    /// For all tries and the waits between them.
    pub total: Duration,
}

/// Whether doing a call twice is the same as doing it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Safe,
    Unsafe,
}

impl Default for Patience {
    fn default() -> Self {
        Self { tries_max: 5, wait_first: Duration::from_millis(100), wait_max: Duration::from_secs(5), total: Duration::from_secs(60) }
    }
}

impl Patience {
    /// Tries until it succeeds, fails for good, or patience is over. The last failure is the answer.
    pub async fn through<T, F>(&self, repeat: Repeat, url: &str, mut attempt: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let deadline = Instant::now() + self.total;
        let mut tries = 0;
        loop {
            let error = match timeout_at(deadline, attempt()).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => error,
                Err(_) => {
                    let why = format!("no answer within {} s", self.total.as_secs_f64());
                    return Err(Error::Unreachable { url: url.to_owned(), why });
                }
            };
            tries += 1;
            let wait = self.wait(tries, &error, rand::random());
            match wait.filter(|_| repeat == Repeat::Safe).map(|wait| Instant::now() + wait) {
                Some(next) if next < deadline => sleep_until(next).await,
                // Whoever is told to come back later than there is time knows it now.
                Some(_) | None => return Err(error),
            }
        }
    }

    /// How long to wait after this many tries, or nothing if there is no point in another. `roll` is from 0 to 1.
    fn wait(&self, tries: u32, error: &Error, roll: f64) -> Option<Duration> {
        if tries >= self.tries_max || !error.is_temporary() {
            return None;
        }
        let grown = self.wait_first.saturating_mul(1 << (tries - 1).min(20)).min(self.wait_max);
        // Half of it is certain, so that jitter never makes a burst of it.
        let jittered = grown.mul_f64(0.5 + roll / 2.0);
        let floor = error.problem().and_then(|problem| problem.retry_after).unwrap_or_default();
        Some(jittered.max(floor))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::Problem;

    fn away() -> Error {
        Error::Unreachable { url: "http://x".to_owned(), why: "refused".to_owned() }
    }

    fn problem(status: u16, retry_after: Option<u64>) -> Error {
        Error::Problem(Box::new(Problem { status, retry_after: retry_after.map(Duration::from_secs), ..Problem::default() }))
    }

    /// Fails with these one after the other, then succeeds; returns the outcome and when each try was made.
    async fn run(patience: Patience, repeat: Repeat, failures: Vec<Error>) -> (Result<(), Error>, Vec<Duration>) {
        let started = Instant::now();
        let tries = RefCell::new(Vec::new());
        let failures = RefCell::new(failures.into_iter());
        let outcome = patience.through(repeat, "http://x", || {
            tries.borrow_mut().push(started.elapsed());
            let failure = failures.borrow_mut().next();
            async move { failure.map_or(Ok(()), Err) }
        });
        (outcome.await, tries.take())
    }

    #[tokio::test(start_paused = true)]
    async fn what_can_be_repeated_is_repeated_with_growing_waits() {
        let (outcome, at) = run(Patience::default(), Repeat::Safe, vec![away(), problem(503, None), away()]).await;
        assert!(outcome.is_ok() && at.len() == 4, "{outcome:?} {at:?}");
        for (n, most) in [(1, 100), (2, 200), (3, 400)] {
            let waited = (at[n] - at[n - 1]).as_millis();
            assert!(waited >= most / 2 && waited <= most + 2, "try {n} after {waited} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_repeated_is_tried_once() {
        let (outcome, at) = run(Patience::default(), Repeat::Unsafe, vec![problem(503, None)]).await;
        assert!(outcome.is_err() && at.len() == 1, "{at:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_for_good_is_not_repeated() {
        for status in [400, 401, 403, 404, 409, 413, 422, 500] {
            let (outcome, at) = run(Patience::default(), Repeat::Safe, vec![problem(status, None)]).await;
            assert!(outcome.is_err() && at.len() == 1, "{status}: {at:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_is_a_floor() {
        let (outcome, at) = run(Patience::default(), Repeat::Safe, vec![problem(429, Some(7)), problem(503, Some(1))]).await;
        assert!(outcome.is_ok());
        let (first, second) = ((at[1] - at[0]).as_millis(), (at[2] - at[1]).as_millis());
        assert!((7_000..7_010).contains(&first) && (1_000..1_010).contains(&second), "{first} {second}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_after_beyond_the_deadline_is_told_at_once() {
        let (outcome, at) = run(Patience::default(), Repeat::Safe, vec![problem(503, Some(3_600))]).await;
        assert!(matches!(outcome, Err(Error::Problem(_))) && at == [Duration::ZERO], "{at:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn tries_are_bounded() {
        let (outcome, at) = run(Patience { tries_max: 3, ..Patience::default() }, Repeat::Safe, vec![away(); 9]).await;
        assert!(matches!(outcome, Err(Error::Unreachable { .. })) && at.len() == 3, "{at:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_whole_has_a_deadline() {
        let patience = Patience { total: Duration::from_secs(2), ..Patience::default() };
        let started = Instant::now();
        let never = patience.through(Repeat::Safe, "http://x", std::future::pending::<Result<(), Error>>).await;
        assert!(matches!(never, Err(Error::Unreachable { .. })), "{never:?}");
        assert!(started.elapsed() >= Duration::from_secs(2) && started.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn waits_stay_within_their_bounds() {
        let patience = Patience { tries_max: 100, ..Patience::default() };
        for tries in 1..99 {
            for roll in [0.0, 0.5, 1.0] {
                let wait = patience.wait(tries, &away(), roll).expect("patience is not over");
                assert!(wait >= patience.wait_first / 2 && wait <= patience.wait_max, "{tries} {roll} {wait:?}");
            }
        }
    }
}
