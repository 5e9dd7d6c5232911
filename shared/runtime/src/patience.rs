//! Waiting between tries at a store or broker that is away: full jitter, growing to a cap, never for ever without a look.

use std::time::Duration;

use domain::Backoff;
use tokio::time::Instant;

/// Grows from 50 ms to 2 s.
const BACKOFF: Backoff = Backoff::Exponential { base_ms: 100, cap_ms: 2_000 };
const SHORTEST: Duration = Duration::from_millis(20);

/// How often something failed in a row.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    failures: u16,
}

impl Patience {
    /// Waits before the next try.
    pub(crate) async fn wait(&mut self) {
        self.failures = self.failures.saturating_add(1);
        let delay = BACKOFF.delay(self.failures, rand::random::<f64>()).max(SHORTEST);
        tokio::time::sleep_until(Instant::now() + delay).await;
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}
