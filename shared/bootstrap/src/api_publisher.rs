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

/// What keeps RabbitMQ from being of use at present, if anything: first what a person must mend.
pub(crate) fn trouble(health: RabbitHealth) -> Option<BrokerError> {
    let RabbitHealth { connected, consuming, blocked, refused, not_received, last_error, .. } = health;
    let unavailable = |doing, why: String| Some(BrokerError::Unavailable { doing, source: why.into() });
    let connecting = || last_error.clone().unwrap_or_else(|| "connecting".to_owned());
    match (refused, blocked, not_received) {
        (Some(refusal), ..) => Some(BrokerError::Refused(format!("RabbitMQ refuses: {refusal}"))),
        (None, Some(why), _) => unavailable("an alarm of RabbitMQ stops it from taking messages", why),
        (None, None, _) if !connected => unavailable("RabbitMQ is not connected", connecting()),
        (None, None, _) if consuming == Some(false) => unavailable("RabbitMQ is not connected to receive", connecting()),
        (None, None, Some(why)) => unavailable("RabbitMQ is not consumed", why),
        (None, None, None) => last_error.and_then(|why| unavailable("a queue of RabbitMQ cannot be made", why)),
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
            refused: None,
            not_received: None,
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
        let deaf = RabbitHealth { consuming: Some(false), ..health(true, None) };
        assert!(said(deaf).is_some_and(|said| said.contains("not connected to receive")));
        let idle = RabbitHealth { consuming: Some(true), not_received: Some("its queue is gone".to_owned()), ..health(true, None) };
        assert!(said(idle).is_some_and(|said| said.contains("not consumed") && said.contains("its queue is gone")));
    }

    /// The sentence itself is shown to those without a key: it must not be a cause below another one.
    #[test]
    fn a_refusal_goes_before_everything_else_and_is_told_whole() {
        let refused = RabbitHealth { refused: Some("rabbitmqctl set_permissions".to_owned()), ..health(false, Some("low on memory")) };
        assert!(trouble(refused).is_some_and(|error| error.to_string().contains("rabbitmqctl set_permissions")));
    }
}
