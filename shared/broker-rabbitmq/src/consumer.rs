//! One consumer of one class: a channel of its own (delivery tags are per channel), messages into the hold, answers to the broker.

use std::sync::Arc;
use std::time::Duration;

use domain::{Class, Unsent};
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, BasicRejectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Acker, Channel, Consumer};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::declare::Asking;
use crate::error::{CALL_TIMEOUT, CallError, call};
use crate::hub::Hub;
use crate::lane::{Arrival, Fate, Lane, UNCOUNTED};
use crate::lifeless;
use crate::line::Line;
use crate::message;
use crate::subscription::Subscription;
use crate::tags::{Tags, Told};
use crate::topology;
use crate::troubles::Deed;

/// The number of messages held ready is changed when it is wrong by this factor, and not more often than this.
const PREFETCH_FACTOR: u16 = 2;
const PREFETCH_EVERY: Duration = Duration::from_secs(3);
/// How long the sending side may take to make sure of a queue. It may be blocked, and nobody must stop receiving for that.
const DECLARED_WITHIN: Duration = Duration::from_secs(3);
/// How long a subscription that was closed waits for answers to what is out.
const FAREWELL: Duration = Duration::from_secs(2);

/// Which class of which subscription.
#[derive(Clone)]
pub(crate) struct Post {
    pub subscription: Arc<Subscription>,
    pub class: Class,
}

/// The hold's part of a consumer. When it goes, the broker delivers again what was in hand.
struct Watch<'a> {
    post: &'a Post,
    epoch: u64,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.post.subscription.hold.lock().end(&self.post.class, self.epoch);
    }
}

impl Watch<'_> {
    fn lane<T: Default>(&self, look: impl FnOnce(&mut Lane) -> T) -> T {
        self.post.subscription.hold.lock().lane(&self.post.class, self.epoch).map(look).unwrap_or_default()
    }
}

struct Consuming<'a> {
    watch: Watch<'a>,
    hub: &'a Hub,
    line: &'a Line,
    channel: Channel,
    tags: Tags<Acker>,
    prefetch: u16,
    prefetch_at: Instant,
}

/// Consumes until the subscription is closed, or until there is trouble.
pub(crate) async fn consume(post: &Post, line: &Line, hub: &Hub) -> Result<(), CallError> {
    // Two connections that make a queue at the same time get in each other's way: the sending one goes first, where it can.
    let mut made = hub.made.subscribe();
    let _ = timeout(DECLARED_WITHIN, made.wait_for(|made| made.is_settled(&post.class.queue))).await;
    if hub.lifeless.lock().contains(&post.class) {
        lifeless::mend(hub, &post.class).await?;
    }
    make_sure(post, line, hub).await?;
    let channel = line.channel().await?;
    let epoch = post.subscription.hold.lock().begin(&post.class);
    let prefetch = post.subscription.prefetch(&post.class.queue);
    let watch = Watch { post, epoch };
    let mut consuming = Consuming { watch, hub, line, channel, tags: Tags::default(), prefetch, prefetch_at: Instant::now() };
    let consumer = consuming.begin().await?;
    consuming.run(consumer).await
}

/// A queue that the sending side could not make is not asked for once more, because the broker may close the connection over it;
/// but somebody else may have made it.
async fn make_sure(post: &Post, line: &Line, hub: &Hub) -> Result<(), CallError> {
    let Some(trouble) = hub.made.borrow().trouble(&post.class.queue).cloned() else {
        return Asking::new(line).class(hub, &post.class).await;
    };
    match Asking::new(line).find(&topology::class_queue(&post.class)).await? {
        Some(_) => Ok(()),
        None => Err(trouble),
    }
}

impl Consuming<'_> {
    async fn begin(&self) -> Result<Consumer, CallError> {
        call("setting the prefetch", self.channel.basic_qos(self.prefetch, BasicQosOptions::default())).await?;
        let class = &self.watch.post.class;
        let queue = topology::class_queue(class).into();
        let _one_after_the_other = self.hub.beginning.lock().await;
        if !self.line.is_up() {
            return Err(CallError::ended("consuming", "the connection ended"));
        }
        *self.hub.begins.lock() = Some(class.clone());
        let consuming = self.channel.basic_consume(queue, "".into(), BasicConsumeOptions::default(), FieldTable::default());
        let consumer = call("consuming", consuming).await;
        // Unless the connection ended over it: then it is still to be seen whose it was.
        if consumer.as_ref().err().is_none_or(|error| !error.ends_the_line()) {
            *self.hub.begins.lock() = None;
        }
        let consumer = consumer?;
        self.watch.lane(|lane| lane.consuming_since = Some(Instant::now()));
        self.hub.troubles.over(&Deed::Receive(self.watch.post.class.clone()));
        Ok(consumer)
    }

    async fn run(&mut self, mut consumer: Consumer) -> Result<(), CallError> {
        let post = self.watch.post;
        let bell = post.subscription.bell(&post.class);
        loop {
            let alarm = self.alarm();
            tokio::select! {
                biased;
                () = post.subscription.closed.cancelled() => return self.farewell(&consumer, &bell).await,
                () = bell.notified() => self.tell().await?,
                delivered = consumer.next() => {
                    self.accept(delivered).await?;
                    // Whatever is here already, in one go; bounded by the prefetch.
                    while let Some(delivered) = consumer.next().now_or_never() {
                        self.accept(delivered).await?;
                    }
                    post.subscription.arrived();
                }
                () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => {
                    let replaced = self.watch.lane(|lane| lane.give_back(Instant::now()));
                    if !replaced.is_empty() {
                        // Before it is acked: should this process die in between, the reconciliation finds it.
                        self.hub.options.ledger.doubt(Unsent::Emissions(replaced));
                    }
                    self.tell().await?;
                }
            }
            if self.prefetch_is_wrong() && self.prefetch_at.elapsed() >= PREFETCH_EVERY {
                consumer = self.change_prefetch(consumer).await?;
            }
        }
    }

    /// When there is something to do without anybody ringing.
    fn alarm(&self) -> Option<Instant> {
        let waiting = self.watch.lane(|lane| lane.due());
        let prefetch = self.prefetch_is_wrong().then_some(self.prefetch_at + PREFETCH_EVERY);
        waiting.into_iter().chain(prefetch).min()
    }

    fn prefetch_is_wrong(&self) -> bool {
        let post = self.watch.post;
        let wanted = post.subscription.prefetch(&post.class.queue);
        wanted >= self.prefetch.saturating_mul(PREFETCH_FACTOR) || self.prefetch >= wanted.saturating_mul(PREFETCH_FACTOR)
    }

    /// A running consumer keeps its prefetch (quorum queues know no other kind): another one takes over on the same channel,
    /// where the tags of the first stay valid.
    async fn change_prefetch(&mut self, mut consumer: Consumer) -> Result<Consumer, CallError> {
        self.watch.lane(|lane| lane.consuming_since = None);
        self.cancel(&mut consumer).await?;
        let post = self.watch.post;
        self.prefetch = post.subscription.prefetch(&post.class.queue);
        self.prefetch_at = Instant::now();
        self.begin().await
    }

    /// Ends a consumer and takes what it had still received.
    async fn cancel(&mut self, consumer: &mut Consumer) -> Result<(), CallError> {
        call("ending a consumer", self.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default())).await?;
        let deadline = Instant::now() + CALL_TIMEOUT;
        while let Ok(Some(delivered)) = timeout_at(deadline, consumer.next()).await {
            self.accept(Some(delivered)).await?;
        }
        self.watch.post.subscription.arrived();
        Ok(())
    }

    async fn accept(&mut self, delivered: Option<lapin::Result<Delivery>>) -> Result<(), CallError> {
        const DOING: &str = "consuming";
        let ended = || CallError::ended(DOING, "the broker ended the consumer; its queue may be gone");
        let delivery = delivered.ok_or_else(ended)?.map_err(|error| CallError { doing: DOING, why: error.into() })?;
        let post = self.watch.post;
        let tag = delivery.delivery_tag;
        self.tags.delivered(tag, delivery.acker.clone());
        let fate = match message::decode(&delivery.properties, &delivery.data) {
            // Somebody moved it here: as a dead letter it is sent again to where it belongs.
            Ok(hint) if hint.class != post.class => Some(Fate::Reject),
            Ok(hint) => {
                let how = Arrival { tag, deliveries: deliveries(&delivery), at: Instant::now() };
                let held = post.subscription.hold.lock().arrived(self.watch.epoch, hint, how);
                (!held).then_some(Fate::Ack)
            }
            Err(_) => {
                self.hub.garbage.happened(1);
                Some(Fate::Reject)
            }
        };
        match fate {
            Some(fate) => self.answer([(tag, fate)]).await,
            None => Ok(()),
        }
    }

    /// Passes on what became of messages since the last time.
    async fn tell(&mut self) -> Result<(), CallError> {
        let fates = self.watch.lane(Lane::fates);
        self.answer(fates).await
    }

    async fn answer(&mut self, fates: impl IntoIterator<Item = (u64, Fate)>) -> Result<(), CallError> {
        for told in self.tags.answer(fates, usize::from(self.prefetch)) {
            let answered = async {
                match told {
                    Told::AckUpTo(acker) => acker.ack(BasicAckOptions { multiple: true }).await,
                    Told::Ack(acker) => acker.ack(BasicAckOptions::default()).await,
                    Told::Reject(acker) => acker.reject(BasicRejectOptions { requeue: false }).await,
                    Told::Return(acker) => acker.nack(BasicNackOptions { requeue: true, multiple: false }).await,
                }
            };
            call("answering a message", answered).await?;
        }
        Ok(())
    }

    /// Waits a moment for answers to what is out. What is not answered then goes back with the channel.
    async fn farewell(&mut self, consumer: &Consumer, bell: &tokio::sync::Notify) -> Result<(), CallError> {
        let deadline = Instant::now() + FAREWELL;
        call("ending a consumer", self.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default())).await?;
        while self.watch.lane(|lane| lane.out()) && timeout_at(deadline, bell.notified()).await.is_ok() {}
        self.tell().await?;
        call("closing a channel", self.channel.close(200, "bye".into())).await
    }
}

/// How often a message was delivered before. Only quorum queues count; of others we know that it happened.
fn deliveries(delivery: &Delivery) -> u32 {
    let counted = delivery.properties.headers().as_ref().and_then(|headers| headers.inner().get("x-delivery-count"));
    let counted = counted.and_then(AMQPValue::as_long_long_int).and_then(|count| u32::try_from(count).ok());
    counted.unwrap_or(if delivery.redelivered { UNCOUNTED } else { 0 })
}
