//! The broker as the API uses it: it refuses to say what it lacks while nothing can be sent, which is how readiness hears of it.

use std::sync::Arc;

use async_trait::async_trait;
use broker::{BrokerError, Lack, Publisher};
use broker_rabbitmq::{RabbitBroker, RabbitHealth};
use domain::{DeadNotice, Emission, EmissionId, JobId, QueueName};

pub(crate) struct ApiPublisher {
    rabbit: Arc<RabbitBroker>,
}

impl ApiPublisher {
    pub(crate) fn new(rabbit: Arc<RabbitBroker>) -> Self {
        Self { rabbit }
    }
}

/// Why nothing can be sent at present, if so.
pub(crate) fn trouble(health: RabbitHealth) -> Option<BrokerError> {
    let RabbitHealth { connected, blocked, last_error, .. } = health;
    let unavailable = |doing, why: String| Some(BrokerError::Unavailable { doing, source: why.into() });
    match blocked {
        Some(why) => unavailable("an alarm of RabbitMQ stops it from taking messages", why),
        None if !connected => unavailable("RabbitMQ is not connected", last_error.unwrap_or_else(|| "connecting".to_owned())),
        None => None,
    }
}

#[async_trait]
impl Publisher for ApiPublisher {
    async fn declare(&self, queues: &[QueueName]) -> Result<(), BrokerError> {
        self.rabbit.declare(queues).await
    }

    async fn publish(&self, emissions: &[Emission]) -> Result<Vec<EmissionId>, BrokerError> {
        self.rabbit.publish(emissions).await
    }

    async fn lacks(&self) -> Result<Vec<Lack>, BrokerError> {
        match trouble(self.rabbit.health()) {
            Some(error) => Err(error),
            None => self.rabbit.lacks().await,
        }
    }

    async fn refilled(&self, lack: &Lack) {
        self.rabbit.refilled(lack).await;
    }

    async fn announce(&self, notices: &[DeadNotice]) -> Result<Vec<JobId>, BrokerError> {
        self.rabbit.announce(notices).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(connected: bool, blocked: Option<&str>) -> RabbitHealth {
        RabbitHealth {
            connected,
            consuming: None,
            blocked: blocked.map(str::to_owned),
            queued_to_send: 0,
            unconfirmed: 0,
            different_queues: Vec::new(),
            last_error: None,
            connects: 1,
        }
    }

    #[test]
    fn an_alarm_and_a_lost_connection_are_told() {
        let said = |health| trouble(health).map(|error| telemetry::chain(&error));
        assert_eq!(said(health(true, None)), None);
        assert!(said(health(true, Some("low on memory"))).is_some_and(|said| said.contains("alarm") && said.contains("low on memory")));
        assert!(said(health(false, None)).is_some_and(|said| said.contains("not connected")));
    }
}
