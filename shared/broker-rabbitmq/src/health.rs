//! How the connections to RabbitMQ are doing, for readiness and for operators.

use std::sync::atomic::Ordering;

use crate::hub::Hub;

/// A look at a [`crate::RabbitBroker`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RabbitHealth {
    /// Connected to send.
    pub connected: bool,
    /// Connected to receive; `None`: nothing is subscribed to.
    pub consuming: Option<bool>,
    /// Why RabbitMQ takes nothing at present: a memory or disk alarm.
    pub blocked: Option<String>,
    /// What RabbitMQ refuses to this user, with the command that mends it.
    pub refused: Option<String>,
    /// Why something that is subscribed to is not received at this moment, though connected.
    pub not_received: Option<String>,
    /// Emissions that wait to be sent.
    pub queued_to_send: usize,
    /// Emissions that were sent and not confirmed yet.
    pub unconfirmed: usize,
    /// RabbitMQ's queues that exist with other arguments than ours: used as they are.
    pub different_queues: Vec<String>,
    /// Why there is no connection, or else why a queue could not be made.
    pub last_error: Option<String>,
    /// How often the sending connection was made.
    pub connects: u64,
}

impl RabbitHealth {
    pub(crate) fn of(hub: &Hub, queued_to_send: usize) -> Self {
        let (publishing, consuming) = (hub.publishing.state(), hub.consuming.state());
        let subscribed = !hub.subscriptions.open().is_empty() || hub.dead_letter_sink().is_some();
        Self {
            connected: hub.publishing.connected(),
            consuming: subscribed.then(|| hub.consuming.connected()),
            blocked: publishing.blocked,
            refused: hub.troubles.refused(),
            not_received: hub.troubles.not_received(),
            queued_to_send,
            unconfirmed: hub.in_flight.load(Ordering::Acquire),
            different_queues: hub.different.lock().iter().cloned().collect(),
            last_error: publishing.last_error.or(consuming.last_error).or_else(|| hub.made.borrow().shown()),
            connects: publishing.connects,
        }
    }
}
