//! When may a test wait for nothing but time? When time itself is the fault: past a lease, for the length of an outage.

use std::time::Duration;

/// Nothing that a test breaks needs more.
const MOST: Duration = Duration::from_secs(600);

/// Lets time pass: the only permitted wait of tests that is not for a fact. `why` says what fault lasts so long, to whoever reads
/// the test.
///
/// # Panics
/// When no reason is given, or the time is beyond reason.
#[expect(clippy::disallowed_methods, reason = "the one place that may: time itself is the fault")]
pub async fn hold(duration: Duration, why: &str) {
    assert!(!why.trim().is_empty(), "say why time must pass");
    assert!(duration <= MOST, "nobody waits for {duration:?}");
    tokio::time::sleep(duration).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_lasts_as_long_as_it_says() {
        let began = tokio::time::Instant::now();
        hold(Duration::from_secs(21), "past a lease").await;
        assert_eq!(began.elapsed().as_secs(), 21);
    }

    #[tokio::test]
    #[should_panic(expected = "say why")]
    async fn it_wants_a_reason() {
        hold(Duration::ZERO, " ").await;
    }
}
