//! How does a test wait? On a fact, with a deadline that prints the state it found instead.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

/// Short against a person's patience, long against a query.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a look at the state may find: a fact with its value, or not yet, perhaps with a reason.
pub trait Fact {
    type Value;

    fn into_result(self) -> Result<Self::Value, String>;
}

impl Fact for bool {
    type Value = ();

    fn into_result(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("it is still false".to_owned()) }
    }
}

impl<T> Fact for Option<T> {
    type Value = T;

    fn into_result(self) -> Result<T, String> {
        self.ok_or_else(|| "there is still nothing".to_owned())
    }
}

impl<T, E: Display> Fact for Result<T, E> {
    type Value = T;

    fn into_result(self) -> Result<T, String> {
        self.map_err(|error| error.to_string())
    }
}

/// Looks again and again until there is a fact, and returns its value.
///
/// `look` says `bool`, `Option` or `Result`; the `Err` of the last look is the dump of the state in the panic.
///
/// # Panics
/// When there is no fact `within` the deadline, also when a look itself does not come back.
pub async fn eventually<F: Fact>(what: &str, within: Duration, look: impl AsyncFnMut() -> F) -> F::Value {
    eventually_or(what, within, look, async || String::new()).await
}

/// Like [`eventually`], with a dump that is only made when it is needed: the whole state, as text.
///
/// # Panics
/// As [`eventually`] does, with the dump in the message.
pub async fn eventually_or<F: Fact>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> F,
    dump: impl AsyncFnOnce() -> String,
) -> F::Value {
    let deadline = Instant::now() + within;
    let mut found = "the first look did not come back".to_owned();
    let mut ticks = interval(LOOK_EVERY);
    // A slow look must not be followed by a burst of looks.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while let Ok(fact) = timeout_at(deadline, async {
        ticks.tick().await;
        look().await
    })
    .await
    {
        match fact.into_result() {
            Ok(value) => return value,
            Err(reason) => found = reason,
        }
    }
    panic!("not within {within:?}: {what}\n{found}\n{}", dump().await);
}

/// Waits for one thing that comes by itself: a signal, a message, the end of a task.
///
/// # Panics
/// When it does not come `within` the deadline.
pub async fn within<T>(what: &str, within: Duration, coming: impl Future<Output = T>) -> T {
    match tokio::time::timeout(within, coming).await {
        Ok(value) => value,
        Err(_) => panic!("not within {within:?}: {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(50);

    /// The message of the panic of `task`.
    async fn panic_of(task: impl Future<Output = ()> + Send + 'static) -> String {
        let error = tokio::spawn(task).await.expect_err("it panics");
        error.into_panic().downcast_ref::<String>().cloned().unwrap_or_default()
    }

    #[tokio::test]
    async fn a_fact_ends_the_wait() {
        let mut looks = 0;
        let value = eventually("three looks", LONG, async || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(value.await, 3);
    }

    #[tokio::test]
    async fn plain_closures_and_results_will_do() {
        eventually("truth", LONG, || std::future::ready(true)).await;
        assert_eq!(eventually("a result", LONG, async || Ok::<_, String>(7)).await, 7);
    }

    #[tokio::test]
    async fn the_last_look_and_the_dump_are_in_the_message() {
        let message = panic_of(async {
            let look = async || Err::<(), _>("2 of 3 jobs settled");
            eventually_or("all settled", SHORT, look, async || "job 3 running".to_owned()).await;
        });
        let message = message.await;
        assert_eq!(message, "not within 50ms: all settled\n2 of 3 jobs settled\njob 3 running");
    }

    #[tokio::test]
    async fn a_look_that_does_not_come_back_has_the_same_deadline() {
        let message = panic_of(async { eventually("an answer", SHORT, std::future::pending::<bool>).await }).await;
        assert!(message.contains("the first look did not come back"), "{message}");
    }

    #[tokio::test]
    async fn within_returns_what_came_or_says_what_did_not() {
        assert_eq!(within("a value", LONG, async { 5 }).await, 5);
        let message = panic_of(within("a signal", SHORT, std::future::pending())).await;
        assert_eq!(message, "not within 50ms: a signal");
    }
}
