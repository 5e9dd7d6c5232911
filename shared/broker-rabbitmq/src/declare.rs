//! Making sure that queues exist. A queue that had to be made held nothing: whoever published to it before must send again.

use broker::BrokerError;
use domain::{Class, Doubt, QueueName, Unsent};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, ExchangeKind};

use crate::error::{CallError, Refused, Why, call};
use crate::hub::Hub;
use crate::line::Line;
use crate::topology::{self, Binding, DEAD_EXCHANGE, Queue};

const DOING: &str = "declaring queues";
const BINDING: &str = "binding a queue";

/// What the broker says about a queue.
pub(crate) struct Found {
    pub messages: u32,
    pub consumers: u32,
}

/// A channel for questions that may be answered by closing it.
pub(crate) struct Asking<'a> {
    line: &'a Line,
    channel: Option<Channel>,
}

impl<'a> Asking<'a> {
    pub fn new(line: &'a Line) -> Self {
        Self { line, channel: None }
    }

    async fn channel(&mut self) -> Result<Channel, CallError> {
        match self.channel.take().filter(|channel| channel.status().connected()) {
            Some(channel) => Ok(self.channel.insert(channel).clone()),
            None => Ok(self.channel.insert(self.line.channel().await?).clone()),
        }
    }

    /// One question. A channel that did not answer is left alone: the next question would wait behind this one.
    async fn ask<T>(&mut self, doing: &'static str, answer: impl Future<Output = lapin::Result<T>>) -> Result<T, CallError> {
        let answer = call(doing, answer).await;
        if matches!(&answer, Err(CallError { why: Why::TooLong(_), .. })) {
            self.channel = None;
        }
        answer
    }

    /// `None`: there is no such queue.
    pub async fn find(&mut self, queue: &str) -> Result<Option<Found>, CallError> {
        let channel = self.channel().await?;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        match self.ask("looking at a queue", channel.queue_declare(queue.into(), options, FieldTable::default())).await {
            Ok(found) => Ok(Some(Found { messages: found.message_count(), consumers: found.consumer_count() })),
            Err(error) if error.refused() == Some(Refused::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes it, or compares it with what is there.
    async fn declare(&mut self, queue: &Queue) -> Result<(), CallError> {
        let channel = self.channel().await?;
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        self.ask(DOING, channel.queue_declare(queue.name.as_str().into(), options, queue.table())).await.map(drop)
    }

    /// Whether it has our arguments; made if it is not there.
    pub async fn is_as_declared(&mut self, queue: &Queue) -> Result<bool, CallError> {
        match self.declare(queue).await {
            Err(error) if error.refused() == Some(Refused::Different) => Ok(false),
            declared => declared.map(|()| true),
        }
    }

    /// Uses it as it is, if it is there.
    async fn declare_as_is(&mut self, queue: &Queue, hub: &Hub) -> Result<(), CallError> {
        match self.is_as_declared(queue).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                hub.note_different(&queue.name);
                Ok(())
            }
            // Who may not make it may still use what somebody else has made.
            Err(error) if error.refused() == Some(Refused::Forbidden) => match self.find(&queue.name).await? {
                Some(_) => Ok(()),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    async fn bind(&mut self, binding: &Binding) -> Result<(), CallError> {
        let channel = self.channel().await?;
        let (queue, pattern) = (binding.queue.as_str().into(), binding.pattern.as_str().into());
        self.ask(BINDING, channel.queue_bind(queue, DEAD_EXCHANGE.into(), pattern, QueueBindOptions::default(), FieldTable::default()))
            .await
    }

    /// What all queues share: the dead-letter exchange and the recorder behind it.
    pub async fn foundations(&mut self, hub: &Hub) -> Result<(), CallError> {
        let channel = self.channel().await?;
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let exchange = channel.exchange_declare(DEAD_EXCHANGE.into(), ExchangeKind::Topic, options, FieldTable::default());
        match self.ask(DOING, exchange).await {
            Err(error) if error.refused() == Some(Refused::Different) => hub.note_different(DEAD_EXCHANGE),
            declared => declared?,
        }
        let (queue, binding) = topology::recorder();
        self.declare_as_is(&queue, hub).await?;
        self.bind(&binding).await
    }

    /// Where the dead letters of one queue of jobs go.
    pub async fn dead_queue(&mut self, hub: &Hub, queue: &QueueName) -> Result<(), CallError> {
        let wanted = topology::of_queue(queue, hub.options.queue_type);
        self.declare_as_is(&wanted.dead, hub).await?;
        self.bind(&wanted.binding).await
    }

    /// The queues of one queue of jobs, one for each class.
    pub async fn class_queues(&mut self, hub: &Hub, queue: &QueueName) -> Result<(), CallError> {
        for (class, queue) in &topology::of_queue(queue, hub.options.queue_type).classes {
            self.class_queue(hub, class, queue).await?;
        }
        Ok(())
    }

    /// One class's queue. Telling "made" from "was there" takes a look before.
    async fn class_queue(&mut self, hub: &Hub, class: &Class, queue: &Queue) -> Result<(), CallError> {
        // Read before the look: whatever was published up to here is gone when the queue is.
        let before = (hub.options.clock)();
        if self.find(&queue.name).await?.is_some() {
            return self.declare_as_is(queue, hub).await;
        }
        self.declare(queue).await?;
        tracing::debug!("made the RabbitMQ queue `{}`", queue.name);
        hub.options.ledger.doubt(Unsent::Class { class: class.clone(), doubt: Doubt::Lost { before } });
        Ok(())
    }

    /// One class's queue, for who is about to consume it.
    pub async fn class(&mut self, hub: &Hub, class: &Class) -> Result<(), CallError> {
        self.class_queue(hub, class, &topology::of_class(class, hub.options.queue_type)).await
    }
}

/// What a caller is told whose queues could not be made in time.
pub(crate) fn not_yet() -> BrokerError {
    CallError::ended(DOING, "the broker is away; they are declared as soon as it is back").into()
}
