//! Reads what RabbitMQ dead-lettered, one message at a time, so that it can be recorded where it shows.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use broker::{BrokerError, DeadContent, DeadLetter, DeadLetters};
use domain::PoisonMessage;
use domain::bounds::{POISON_SAMPLE_BYTES_MAX, RABBIT_DEAD_LETTERS_MAX};
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Acker, BasicProperties};
use telemetry::chain;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep_until};

use crate::declare::Asking;
use crate::error::{CallError, call};
use crate::hub::Hub;
use crate::line::Line;
use crate::message;
use crate::topology::DEAD_RECORDER;
use crate::troubles::Deed;

/// How long after a failure it is tried again: nothing waits for dead letters.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What the reader does with a message.
enum Answer {
    Recorded(Acker),
    Again(Acker),
}

/// One message on its way to the reader.
pub(crate) struct Letter {
    content: DeadContent,
    acker: Acker,
    answers: mpsc::UnboundedSender<Answer>,
}

/// Where the consumer puts what it reads. Bounded, as the prefetch is.
pub(crate) type Sink = mpsc::Sender<Letter>;

/// The reading end.
pub(crate) struct RabbitDeadLetters {
    letters: Mutex<mpsc::Receiver<Letter>>,
}

impl RabbitDeadLetters {
    pub fn new() -> (Sink, Self) {
        let (sink, letters) = mpsc::channel(usize::from(RABBIT_DEAD_LETTERS_MAX));
        (sink, Self { letters: Mutex::new(letters) })
    }
}

/// Answers a message once: it is offered again when this is dropped before.
struct Unanswered(Option<(Acker, mpsc::UnboundedSender<Answer>)>);

impl Unanswered {
    /// There are no more answers than messages, and the prefetch bounds those.
    fn answer(&mut self, answer: fn(Acker) -> Answer) {
        if let Some((acker, answers)) = self.0.take() {
            // The consumer may be gone: then the broker offers it again by itself.
            let _ = answers.send(answer(acker));
        }
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.answer(Answer::Again);
    }
}

#[async_trait]
impl DeadLetters for RabbitDeadLetters {
    async fn next(&self) -> Result<DeadLetter, BrokerError> {
        let mut letters = self.letters.lock().await;
        loop {
            let Letter { content, acker, answers } = letters.recv().await.ok_or(BrokerError::Closed)?;
            // Of a connection that is gone: it comes again.
            if acker.usable() {
                let mut unanswered = Unanswered(Some((acker, answers)));
                return Ok(DeadLetter::new(content, Box::new(move || unanswered.answer(Answer::Recorded))));
            }
        }
    }
}

/// Consumes the recorder's queue for as long as the connection lasts.
pub(crate) async fn keep(sink: Sink, line: Arc<Line>, hub: Arc<Hub>) {
    let mut told = String::new();
    while !sink.is_closed() {
        let ended = consume(&sink, &line, &hub).await;
        *hub.reading_since.lock() = None;
        let Err(trouble) = ended else { return hub.troubles.over(&Deed::ReadDeadLetters) };
        let refused = hub.failed(Deed::ReadDeadLetters, &trouble);
        let trouble = chain(&trouble);
        if trouble != told && !refused {
            tracing::warn!(error = %trouble, "cannot read RabbitMQ's dead letters; trying again and again");
            told = trouble;
        }
        sleep_until(Instant::now() + AGAIN_AFTER).await;
    }
}

async fn consume(sink: &Sink, line: &Line, hub: &Hub) -> Result<(), CallError> {
    const DOING: &str = "reading dead letters";
    Asking::new(line).foundations(hub).await?;
    let channel = line.channel().await?;
    call(DOING, channel.basic_qos(RABBIT_DEAD_LETTERS_MAX, BasicQosOptions::default())).await?;
    let consuming = channel.basic_consume(DEAD_RECORDER.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default());
    let mut consumer = call(DOING, consuming).await?;
    *hub.reading_since.lock() = Some(Instant::now());
    hub.troubles.over(&Deed::ReadDeadLetters);
    let (answers, mut answered) = mpsc::unbounded_channel();
    loop {
        tokio::select! {
            () = sink.closed() => return Ok(()),
            delivered = consumer.next() => {
                let ended = || CallError::ended(DOING, "the broker ended the consumer");
                let delivery = delivered.ok_or_else(ended)?.map_err(|error| CallError { doing: DOING, why: error.into() })?;
                let letter = Letter { content: content(&delivery), acker: delivery.acker.clone(), answers: answers.clone() };
                // There is room for the whole prefetch; without a reader it goes back with the channel.
                if sink.try_send(letter).is_err() {
                    return Err(CallError::ended(DOING, "nobody reads them"));
                }
            }
            Some(answer) = answered.recv() => {
                let told = async {
                    match answer {
                        Answer::Recorded(acker) => acker.ack(BasicAckOptions::default()).await,
                        Answer::Again(acker) => acker.nack(BasicNackOptions { requeue: true, multiple: false }).await,
                    }
                };
                call(DOING, told).await?;
            }
        }
    }
}

/// A hint that decodes is healthy; whatever else it is, a person should see the beginning of it.
fn content(delivery: &Delivery) -> DeadContent {
    let refusal = match message::decode(&delivery.properties, &delivery.data) {
        Ok(hint) => return DeadContent::Hint { emission: hint.emission },
        Err(refusal) => refusal,
    };
    let (queue, reason) = death(&delivery.properties);
    // The broker's own word counts where it was not us who refused it.
    let reason = reason.filter(|reason| reason != "rejected").unwrap_or_else(|| refusal.as_str().to_owned());
    DeadContent::Poison(PoisonMessage {
        queue: queue.unwrap_or_else(|| delivery.routing_key.to_string()),
        reason,
        message_id: delivery.properties.message_id().as_ref().map(|id| id.to_string()),
        bytes: delivery.data.len(),
        sample: delivery.data.iter().copied().take(POISON_SAMPLE_BYTES_MAX).collect(),
    })
}

/// The queue a message died in first, and the broker's word for why.
fn death(properties: &BasicProperties) -> (Option<String>, Option<String>) {
    let text = |value: Option<&AMQPValue>| match value {
        Some(AMQPValue::LongString(text)) => Some(text.to_string()),
        Some(AMQPValue::ShortString(text)) => Some(text.to_string()),
        _ => None,
    };
    let headers = properties.headers().as_ref().map(FieldTable::inner);
    let header = |name: &str| text(headers.and_then(|headers| headers.get(name)));
    let first = match headers.and_then(|headers| headers.get("x-death")) {
        Some(AMQPValue::FieldArray(deaths)) => deaths.as_slice().last(),
        _ => None,
    };
    let of_first = |name: &str| match first {
        Some(AMQPValue::FieldTable(death)) => text(death.inner().get(name)),
        _ => None,
    };
    let queue = of_first("queue").or_else(|| header("x-first-death-queue"));
    let reason = of_first("reason").or_else(|| header("x-first-death-reason"));
    (queue, reason)
}
