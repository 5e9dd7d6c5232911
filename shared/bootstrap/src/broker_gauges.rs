//! How is the broker, for those who watch metrics? Its adapter knows no metrics, so it is asked once a second.

use std::sync::Arc;
use std::time::Duration;

use broker_rabbitmq::{RabbitBroker, RabbitHealth};
use telemetry::Metrics;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Ends with its owner.
pub(crate) struct BrokerGauges {
    _task: AbortOnDropHandle<()>,
}

impl BrokerGauges {
    /// Call it inside a tokio runtime.
    pub(crate) fn start(rabbit: Arc<RabbitBroker>, metrics: Arc<Metrics>) -> Self {
        let watching = async move {
            let mut look = interval(LOOK_EVERY);
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                look.tick().await;
                show(&rabbit.health(), &metrics);
            }
        };
        Self { _task: AbortOnDropHandle::new(tokio::spawn(watching)) }
    }
}

fn show(health: &RabbitHealth, metrics: &Metrics) {
    let set = |state: &str, is_so: bool| metrics.broker_state.with_label_values(&[state]).set(i64::from(is_so));
    set("sending", health.connected);
    set("receiving", health.consuming == Some(true) && health.not_received.is_none());
    set("blocked", health.blocked.is_some());
    set("refused", health.refused.is_some());
    metrics.broker_unconfirmed.set(i64::try_from(health.unconfirmed).unwrap_or(i64::MAX));
    let connects = metrics.broker_connects.with_label_values::<&str>(&[]);
    connects.inc_by(health.connects.saturating_sub(connects.get()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_a_line_of_its_own() {
        let metrics = Metrics::new().expect("no doubles");
        let health = RabbitHealth {
            connected: true,
            consuming: Some(true),
            blocked: None,
            refused: Some("it may not".to_owned()),
            not_received: Some("its queue is gone".to_owned()),
            queued_to_send: 0,
            unconfirmed: 7,
            different_queues: Vec::new(),
            last_error: None,
            connects: 3,
        };
        show(&health, &metrics);
        show(&health, &metrics);
        let text = String::from_utf8(metrics.render().expect("rendered")).expect("text");
        for line in ["{state=\"sending\"} 1", "{state=\"receiving\"} 0", "{state=\"blocked\"} 0", "{state=\"refused\"} 1"] {
            assert!(text.contains(&format!("flotilla_broker_state{line}")), "{line} is missing in: {text}");
        }
        assert!(text.contains("flotilla_broker_connects_total 3") && text.contains("flotilla_broker_unconfirmed 7"), "{text}");
    }
}
