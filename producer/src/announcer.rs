//! Tells the rest of the fleet what was recorded. Never fails: whatever is not heard is found by the next look.

use std::sync::Arc;
use std::time::Duration;

use broker::Publisher;
use coordination::{Nudge, Nudges};
use domain::{Emission, Timestamp};
use tokio::time::{Instant, sleep_until};

/// How long the caller's answer may wait for the broker; its job is durable already.
const PUBLISHED_WITHIN: Duration = Duration::from_millis(500);

/// Publishes emissions and nudges.
#[derive(Clone)]
pub struct Announcer {
    publisher: Arc<dyn Publisher>,
    nudges: Arc<dyn Nudges>,
}

impl Announcer {
    pub fn new(publisher: Arc<dyn Publisher>, nudges: Arc<dyn Nudges>) -> Self {
        Self { publisher, nudges }
    }

    /// Hands emissions to the broker; what it does not take, the upkeep sends again.
    pub async fn emit(&self, emissions: &[Emission]) {
        if emissions.is_empty() {
            return;
        }
        let count = emissions.len();
        match tokio::time::timeout(PUBLISHED_WITHIN, self.publisher.publish(emissions)).await {
            Ok(Ok(taken)) if taken.len() == count => return,
            Ok(Ok(taken)) => tracing::debug!(count = count - taken.len(), "the broker has no room for some emissions; they are sent later"),
            Ok(Err(error)) => {
                tracing::warn!(count, error = telemetry::chain(&error), "emissions could not be published; they are sent again")
            }
            Err(_) => tracing::warn!(count, "the broker did not confirm emissions in time; they are sent again"),
        }
        self.nudges.nudge(Nudge::Emissions);
    }

    /// The same after a while. Should this process end before, the upkeep sends them.
    pub fn emit_later(&self, emissions: Vec<Emission>, after: Duration) {
        let (announcer, at) = (self.clone(), Instant::now() + after);
        tokio::spawn(async move {
            sleep_until(at).await;
            announcer.emit(&emissions).await;
        });
    }

    /// Somebody should look at the timers again.
    pub fn timer(&self, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.nudges.nudge(Nudge::Timer { at });
        }
    }

    pub fn nudge(&self, nudge: Nudge) {
        self.nudges.nudge(nudge);
    }
}
