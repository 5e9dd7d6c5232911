//! Can this RabbitMQ be worked with? For an operator who asks: its version, our permissions, alarms, and queues that differ.

use std::time::Duration;

use domain::QueueName;
use futures_util::StreamExt;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::tcp::AMQPUriTcpExt;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, ExchangeKind};
use telemetry::chain;
use tokio::time::timeout;

use crate::address::{Address, AddressError};
use crate::advice;
use crate::declare::Asking;
use crate::error::{CALL_TIMEOUT, CallError, Refused, call};
use crate::line::Line;
use crate::options::QueueType;
use crate::topology::{self, DEAD_EXCHANGE};

/// How long a broker that takes messages needs for one.
const CONFIRM_WITHIN: Duration = Duration::from_secs(2);
/// What a client says first.
const GREETING: &[u8] = b"AMQP\x00\x00\x09\x01";
/// Bytes of the broker's first answer that are read; its version is near the beginning.
const ANSWER_BYTES_MAX: usize = 4_096;
/// The field `version` as it is written: its length, its name, and that a text follows.
const VERSION_FIELD: &[u8] = b"\x07versionS";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RabbitCheck {
    /// Of the server, as it says itself.
    pub version: Option<String>,
    /// What we may not do, and why: declaring, binding, publishing or consuming.
    pub forbidden: Option<String>,
    /// What to do about that.
    pub mend: Option<String>,
    /// Whether a message was taken within 2 s. If not, there is a memory or disk alarm. `None`: it could not be tried.
    pub takes_messages: Option<bool>,
    /// Class queues that do not exist yet. They are made at the first start.
    pub missing_queues: Vec<String>,
    /// Class queues that exist with other arguments, above all another queue type.
    pub different_queues: Vec<String>,
}

/// It could not even be asked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("RabbitMQ cannot be asked")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It answers, and does not let us. The advice has the command that mends it.
    #[error("RabbitMQ refuses us")]
    Refused {
        advice: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl CheckError {
    fn of(error: CallError, address: &Address) -> Self {
        match advice::of(&error, address) {
            Some(advice) => Self::Refused { advice, source: Box::new(error) },
            None => Self::Unreachable(Box::new(error)),
        }
    }
}

/// Looks at a RabbitMQ with the class queues of `queues`. It leaves nothing behind but the dead-letter exchange.
///
/// # Errors
/// When there is no connection; everything else is in the findings.
pub async fn check(url: &str, extra_ca: Option<String>, queue_type: QueueType, queues: &[QueueName]) -> Result<RabbitCheck, CheckError> {
    let address = Address::parse(url, extra_ca)?;
    let refused = |error| CheckError::of(error, &address);
    let line = Line::open(&address, "flotilla (check)").await.map_err(refused)?;
    // Before anything is published: after that, an alarm would silence the whole connection.
    let (missing_queues, different_queues) = compare(&line, queue_type, queues).await.map_err(refused)?;
    let trial = format!("flotilla.v1.check.{:016x}", rand::random::<u64>());
    let tried = try_out(&line, &trial).await;
    line.close().await;
    Ok(RabbitCheck {
        version: version(&address).await,
        takes_messages: tried.as_ref().ok().copied(),
        mend: tried.as_ref().err().and_then(|error| advice::of(error, &address)),
        forbidden: tried.err().map(|error| chain(&error)),
        missing_queues,
        different_queues,
    })
}

/// Everything this process will do, with a queue that only this connection sees. `false`: what was published was not taken in time.
async fn try_out(line: &Line, trial: &str) -> Result<bool, CallError> {
    let mut channel = line.channel().await?;
    let exchange = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let exchange = channel.exchange_declare(DEAD_EXCHANGE.into(), ExchangeKind::Topic, exchange, FieldTable::default());
    match call("declaring the dead-letter exchange", exchange).await {
        // It is there, of another kind: not a matter of permissions.
        Err(error) if error.refused() == Some(Refused::Different) => channel = line.channel().await?,
        declared => declared?,
    }
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    call("declaring a queue", channel.queue_declare(trial.into(), options, FieldTable::default())).await?;
    let binding = channel.queue_bind(trial.into(), DEAD_EXCHANGE.into(), trial.into(), QueueBindOptions::default(), FieldTable::default());
    call("binding a queue", binding).await?;
    let consuming = channel.basic_consume(
        trial.into(),
        "".into(),
        BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() },
        FieldTable::default(),
    );
    let mut consumer = call("consuming", consuming).await?;
    call("asking for confirmations", channel.confirm_select(ConfirmSelectOptions::default())).await?;
    let taken = published(&channel, trial).await?;
    if taken {
        // It was confirmed, so it is on its way.
        let _ = timeout(CONFIRM_WITHIN, consumer.next()).await;
    }
    Ok(taken)
}

async fn published(channel: &Channel, trial: &str) -> Result<bool, CallError> {
    let publishing = async {
        channel.basic_publish("".into(), trial.into(), BasicPublishOptions::default(), b"check", BasicProperties::default()).await?.await
    };
    match timeout(CONFIRM_WITHIN, publishing).await {
        Ok(Ok(confirmation)) => Ok(confirmation.is_ack()),
        Ok(Err(error)) => Err(CallError { doing: "publishing", why: error.into() }),
        Err(_) => Ok(false),
    }
}

/// Class queues that are missing, and those that differ.
async fn compare(line: &Line, queue_type: QueueType, queues: &[QueueName]) -> Result<(Vec<String>, Vec<String>), CallError> {
    let (mut missing, mut different) = (Vec::new(), Vec::new());
    let mut asking = Asking::new(line);
    for (_, queue) in queues.iter().flat_map(|queue| topology::of_queue(queue, queue_type).classes) {
        if asking.find(&queue.name).await?.is_none() {
            missing.push(queue.name);
        } else if !asking.is_as_declared(&queue).await? {
            different.push(queue.name);
        }
    }
    Ok((missing, different))
}

/// The client library keeps the version to itself, so the broker is asked once more, without logging in.
async fn version(address: &Address) -> Option<String> {
    let runtime = lapin::runtime::default_runtime().ok()?;
    let asking = async {
        let tls = address.tls();
        let mut stream = AMQPUriTcpExt::connect_with_config_async(&address.uri, tls.as_ref(), &runtime).await?;
        stream.write_all(GREETING).await?;
        let mut answer = vec![0; ANSWER_BYTES_MAX];
        let mut read = 0;
        while read < answer.len() && version_in(&answer[..read]).is_none() {
            match stream.read(&mut answer[read..]).await? {
                0 => break,
                bytes => read += bytes,
            }
        }
        Ok::<_, std::io::Error>(version_in(&answer[..read]))
    };
    timeout(CALL_TIMEOUT, asking).await.ok()?.ok()?
}

fn version_in(answer: &[u8]) -> Option<String> {
    let at = answer.windows(VERSION_FIELD.len()).position(|window| window == VERSION_FIELD)?;
    let (length, text) = answer[at + VERSION_FIELD.len()..].split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok().filter(|length| *length <= 64)?;
    String::from_utf8(text.get(..length)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn the_version_is_read_where_it_stands() {
        let answer = b"\x01\x00\x00..\x08platformS\x00\x00\x00\x01x\x07versionS\x00\x00\x00\x063.10.8\x0binformationS";
        assert_eq!(version_in(answer).as_deref(), Some("3.10.8"));
        assert_eq!(version_in(&answer[..answer.len() - 16]), None, "not all of it is here");
        assert_eq!(version_in(b"HTTP/1.1 400 Bad Request"), None);
        assert_eq!(version_in(b"\x07versionS\xff\xff\xff\xff"), None);
    }
}
