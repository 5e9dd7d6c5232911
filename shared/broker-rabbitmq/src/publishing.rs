//! The sending side: one task owns the confirm channel, sends what waits without waiting for each, and tells the ledger what the
//! broker has taken. What goes wrong needs no care here: what was not confirmed is in the ledger, and sent again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use domain::bounds::{RABBIT_OUTBOX_MAX, RABBIT_WINDOW_MAX};
use domain::{Class, Emission, EmissionId, QueueName, Timestamp};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::confirmations::Confirmations;
use crate::episode::Episode;
use crate::error::{CallError, Refused, call};
use crate::hub::Hub;
use crate::line::Line;
use crate::link::Session;
use crate::looks;
use crate::made::Made;
use crate::making;
use crate::message;
use crate::topology;
use crate::troubles::Deed;

/// An emission that waited for longer is left to the ledger, which sends again what is unconfirmed after 5 s.
const STALE_AFTER: Duration = Duration::from_secs(3);
/// A confirmation that took longer is not waited for.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);
/// How long confirmations are held back at least, and at most twice that.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// Nobody has such a queue: a message to it is confirmed and gone.
const NOWHERE: &str = "flotilla.v1.nowhere";
const DOING: &str = "publishing";

/// An emission on its way.
pub(crate) struct Outgoing {
    emission: EmissionId,
    class: Class,
    body: Vec<u8>,
    since: Instant,
}

impl Outgoing {
    pub fn new(emission: &Emission) -> Self {
        let body = message::body(&emission.class, &emission.jobs);
        Self { emission: emission.id, class: emission.class.clone(), body, since: Instant::now() }
    }
}

/// What became of one message.
struct Sent {
    emission: EmissionId,
    at: Timestamp,
    outcome: Result<lapin::Result<Confirmation>, tokio::time::error::Elapsed>,
}

pub(crate) struct Publishing {
    hub: Arc<Hub>,
    outbox: mpsc::Receiver<Outgoing>,
    confirmations: Confirmations,
    refused: Episode,
    returned: Episode,
    unsent: Episode,
}

impl Publishing {
    pub fn new(hub: Arc<Hub>) -> (mpsc::Sender<Outgoing>, Self) {
        let (sender, outbox) = mpsc::channel(RABBIT_OUTBOX_MAX);
        let publishing = Self {
            hub,
            outbox,
            confirmations: Confirmations::default(),
            refused: Episode::new("RabbitMQ refused messages because a queue is full; they are sent again"),
            returned: Episode::new("RabbitMQ had no queue for messages; it is made anew, and they are sent again"),
            unsent: Episode::new("messages were not sent, or not confirmed in time; they are sent again"),
        };
        (sender, publishing)
    }

    /// Sends and listens until the channel ends, or until nothing more will come.
    async fn pump(&mut self, channel: &Channel) -> Result<(), CallError> {
        let mut window = FuturesUnordered::new();
        let mut batch: Vec<Outgoing> = Vec::new();
        let mut tell = interval(TELL_EVERY);
        tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut overdue, mut waited_for) = (0_usize, BTreeSet::new());
        loop {
            let (in_flight, room) = (window.len(), RABBIT_WINDOW_MAX.saturating_sub(window.len()));
            self.hub.in_flight.store(in_flight, Ordering::Release);
            tokio::select! {
                biased;
                Some(sent) = window.next(), if in_flight > 0 => overdue += self.settle(sent)?,
                _ = tell.tick(), if !self.confirmations.is_empty() => {
                    self.hub.troubles.over(&Deed::Send);
                    self.confirmations.tell(&*self.hub.options.ledger);
                }
                taken = self.outbox.recv_many(&mut batch, room), if room > 0 => {
                    if taken == 0 {
                        break;
                    }
                    self.meet(&batch, &mut waited_for).await;
                    let at = (self.hub.options.clock)();
                    let fresh = batch.drain(..).filter(|outgoing| self.can_go(outgoing) || self.give_up(1));
                    window.extend(fresh.map(|outgoing| send(channel, outgoing, at)));
                }
            }
            if overdue >= RABBIT_WINDOW_MAX {
                return Err(CallError::ended(DOING, "confirmations do not come"));
            }
        }
        while let Some(sent) = window.next().await {
            self.settle(sent)?;
        }
        // Nothing is on its way that could still come back.
        self.confirmations.tell_all(&*self.hub.options.ledger);
        Ok(())
    }

    /// Waits a moment for queues that are new to this connection, once: a message that is sooner comes back.
    async fn meet(&self, batch: &[Outgoing], waited_for: &mut BTreeSet<QueueName>) {
        let mut strangers: Vec<QueueName> = Vec::new();
        for Outgoing { class: Class { queue, .. }, .. } in batch {
            if !waited_for.contains(queue) {
                waited_for.insert(queue.clone());
                strangers.push(queue.clone());
            }
        }
        if !strangers.is_empty() {
            self.hub.learn(&strangers);
            making::tried(&self.hub, &strangers).await;
        }
    }

    fn can_go(&self, outgoing: &Outgoing) -> bool {
        outgoing.since.elapsed() < STALE_AFTER && !self.hub.made.borrow().is_withheld(&outgoing.class.queue)
    }

    /// What one message's end means. Returns 1 when it was not told in time.
    fn settle(&mut self, sent: Sent) -> Result<usize, CallError> {
        let Ok(outcome) = sent.outcome else {
            self.unsent.happened(1);
            return Ok(usize::from(!self.hub.publishing.blocked()));
        };
        let confirmation = outcome.map_err(|error| CallError { doing: DOING, why: error.into() })?;
        let taken = confirmation.is_ack();
        if !taken {
            self.refused.happened(1);
        }
        if let Some(returned) = confirmation.take_message() {
            self.came_back(&returned);
        }
        if taken {
            self.confirmations.confirmed(sent.emission, sent.at);
        }
        Ok(0)
    }

    fn came_back(&mut self, returned: &BasicReturnMessage) {
        self.returned.happened(1);
        if let Some(emission) = returned.properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok()) {
            self.confirmations.returned(emission);
        }
        if let Some(queue) = topology::queue_of(returned.routing_key.as_str()) {
            self.hub.missing(&queue);
        }
    }

    /// While sending is refused nothing is taken from callers: what is lost here is put off in the ledger, each time for longer.
    async fn may_send(&self, channel: &Channel) -> Result<(), CallError> {
        if !self.hub.troubles.has(&Deed::Send) {
            return Ok(());
        }
        let publishing = async {
            channel.basic_publish("".into(), NOWHERE.into(), BasicPublishOptions::default(), b"", BasicProperties::default()).await?.await
        };
        call(DOING, publishing).await.inspect_err(|error| self.note(error))?;
        self.hub.troubles.over(&Deed::Send);
        Ok(())
    }

    /// A refusal is remembered beyond the connection that it ends.
    fn note(&self, error: &CallError) {
        if error.doing == DOING && error.refused() == Some(Refused::Forbidden) {
            self.hub.failed(Deed::Send, error);
        }
    }

    /// Leaves so many to the ledger. Always false, for filters.
    fn give_up(&self, count: u64) -> bool {
        self.unsent.happened(count);
        false
    }
}

/// Publishes one message. It is on its way when this is polled for the first time.
async fn send(channel: &Channel, outgoing: Outgoing, at: Timestamp) -> Sent {
    let Outgoing { emission, class, body, since: _ } = outgoing;
    let queue = topology::class_queue(&class);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let publishing = async {
        let confirm = channel.basic_publish("".into(), queue.into(), options, &body, message::properties(emission, at)).await?;
        confirm.await
    };
    Sent { emission, at, outcome: timeout(CONFIRM_TIMEOUT, publishing).await }
}

#[async_trait]
impl Session for Publishing {
    async fn wanted(&mut self) {}

    async fn run(&mut self, line: &Arc<Line>) -> Result<(), CallError> {
        let channel = line.channel().await?;
        call("asking for confirmations", channel.confirm_select(ConfirmSelectOptions::default())).await?;
        self.may_send(&channel).await?;
        // Before the queues are declared, so that whoever waits for those finds it open.
        self.hub.open.store(true, Ordering::Release);
        let hub = Arc::clone(&self.hub);
        let ended = tokio::select! {
            biased;
            ended = self.pump(&channel) => ended,
            ended = making::keep(line, &hub) => Err(ended),
            never = looks::at_class_queues(&hub, line) => match never {},
        };
        ended.inspect_err(|error| self.note(error))
    }

    fn lost(&mut self) {
        self.hub.open.store(false, Ordering::Release);
        self.hub.made.send_modify(Made::forget);
        // What waits in the outbox may still go in time; the window is lost.
        self.hub.in_flight.store(0, Ordering::Release);
        self.confirmations.tell(&*self.hub.options.ledger);
        self.confirmations = Confirmations::default();
    }
}
