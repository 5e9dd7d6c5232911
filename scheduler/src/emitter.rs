//! Hands emissions to the broker and tells the store what the broker took.

use std::sync::Arc;
use std::time::Duration;

use broker::{BrokerError, Publisher};
use coordination::{Nudge, Nudges};
use domain::Emission;
use store::Upkeep;

use crate::duty::DutyError;

/// How long the broker may take for one hand-over.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);

/// The way from a duty to the broker.
#[derive(Clone)]
pub struct Emitter {
    upkeep: Arc<dyn Upkeep>,
    publisher: Arc<dyn Publisher>,
    nudges: Arc<dyn Nudges>,
}

impl Emitter {
    pub fn new(upkeep: Arc<dyn Upkeep>, publisher: Arc<dyn Publisher>, nudges: Arc<dyn Nudges>) -> Self {
        Self { upkeep, publisher, nudges }
    }

    pub(crate) fn publisher(&self) -> &dyn Publisher {
        &*self.publisher
    }

    /// Publishes; what the broker does not take is asked for again by the resend duty.
    pub(crate) async fn emit(&self, emissions: &[Emission]) -> Result<(), DutyError> {
        if emissions.is_empty() {
            return Ok(());
        }
        let late = |source| BrokerError::Unavailable { doing: "taking emissions", source: Box::new(source) };
        let taken = tokio::time::timeout(PUBLISH_TIMEOUT, self.publisher.publish(emissions)).await.map_err(late)??;
        if taken.len() < emissions.len() {
            self.nudges.nudge(Nudge::Emissions);
        }
        Ok(self.upkeep.emissions_sent(&taken).await?)
    }
}
