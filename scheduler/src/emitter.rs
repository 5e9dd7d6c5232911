//! Hands emissions to the broker. What it took is told to the ledger, where there is one, by the broker's adapter.

use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, BrokerError};
use coordination::{Nudge, Nudges};
use domain::{Emission, EmissionId};

use crate::duty::DutyError;

/// How long the broker may take for one hand-over.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);

/// The way from a duty to the broker.
#[derive(Clone)]
pub struct Emitter {
    broker: Arc<dyn Broker>,
    nudges: Arc<dyn Nudges>,
}

impl Emitter {
    pub fn new(broker: Arc<dyn Broker>, nudges: Arc<dyn Nudges>) -> Self {
        Self { broker, nudges }
    }

    pub(crate) fn broker(&self) -> &dyn Broker {
        &*self.broker
    }

    /// Publishes; what the broker does not take is asked for again by the resend duty.
    pub(crate) async fn emit(&self, emissions: &[Emission]) -> Result<(), DutyError> {
        if self.offer(emissions).await?.len() < emissions.len() {
            self.nudges.nudge(Nudge::Emissions);
        }
        Ok(())
    }

    /// Publishes, and returns what the broker took.
    pub(crate) async fn offer(&self, emissions: &[Emission]) -> Result<Vec<EmissionId>, DutyError> {
        if emissions.is_empty() {
            return Ok(Vec::new());
        }
        let late = |source| BrokerError::Unavailable { doing: "taking emissions", source: Box::new(source) };
        Ok(tokio::time::timeout(PUBLISH_TIMEOUT, self.broker.publish(emissions)).await.map_err(late)??)
    }
}
