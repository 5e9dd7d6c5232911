//! Tells operators and other systems of jobs that died: straight to the dead queue, past the exchange, so that it does not come back
//! as something to record.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use domain::{DeadNotice, JobId, QueueName};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::time::timeout;

use crate::error::{CallError, Refused, Why, call};
use crate::hub::Hub;
use crate::line::Line;
use crate::topology;
use crate::troubles::Deed;

/// How long confirmations of one call are waited for. What is not confirmed by then is told again.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);
const CONTENT_TYPE: &str = "application/vnd.flotilla.dead.v1";
const PERSISTENT: u8 = 2;

const DOING: &str = "announcing";

/// What became of the notices of one call.
#[derive(Default)]
pub(crate) struct Announced {
    pub confirmed: Vec<JobId>,
    /// Queues that the broker does not have.
    missing: BTreeSet<QueueName>,
}

/// Announces.
pub(crate) async fn announce(line: &Line, notices: &[DeadNotice]) -> Result<Announced, CallError> {
    let channel = line.channel().await?;
    call(DOING, channel.confirm_select(ConfirmSelectOptions::default())).await?;
    let (mut confirmed, mut returned): (Vec<&DeadNotice>, HashSet<String>) = Default::default();
    let mut window: FuturesUnordered<_> = notices.iter().map(|notice| send(&channel, notice)).collect();
    let collecting = async {
        while let Some((notice, confirmation)) = window.next().await {
            let confirmation = confirmation.map_err(|error| CallError { doing: DOING, why: Why::Client(error) })?;
            if confirmation.is_ack() {
                confirmed.push(notice);
            }
            let id = confirmation.take_message().and_then(|message| message.properties.message_id().clone());
            returned.extend(id.map(|id| id.to_string()));
        }
        Ok::<(), CallError>(())
    };
    // Late or not: what was confirmed counts.
    let collected = timeout(CONFIRM_TIMEOUT, collecting).await;
    if let Ok(Err(refused)) = collected
        && refused.refused() == Some(Refused::Forbidden)
    {
        return Err(refused);
    }
    let _ = call(DOING, channel.close(200, "bye".into())).await;
    let (gone, told): (Vec<&DeadNotice>, Vec<&DeadNotice>) =
        confirmed.into_iter().partition(|notice| returned.contains(&message_id(notice)));
    let missing = gone.into_iter().map(|notice| notice.queue.clone()).collect();
    Ok(Announced { confirmed: told.into_iter().map(|notice| notice.job).collect(), missing })
}

/// What an announcement tells besides: nobody consumes the queues of dead letters, so that their absence shows here only.
pub(crate) fn note(hub: &Hub, told: &Result<Announced, CallError>) {
    match told {
        Ok(announced) => {
            announced.missing.iter().for_each(|queue| hub.missing(queue));
            if !announced.confirmed.is_empty() {
                hub.troubles.over(&Deed::Send);
            }
        }
        Err(error) => {
            if error.refused() == Some(Refused::Forbidden) {
                hub.failed(Deed::Send, error);
            }
        }
    }
}

/// The queues that the notices are about.
pub(crate) fn queues(notices: &[DeadNotice]) -> BTreeSet<QueueName> {
    notices.iter().map(|notice| notice.queue.clone()).collect()
}

async fn send<'a>(channel: &Channel, notice: &'a DeadNotice) -> (&'a DeadNotice, lapin::Result<Confirmation>) {
    let publishing = async {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let queue = topology::dead_queue(&notice.queue).into();
        channel.basic_publish("".into(), queue, options, notice.job.to_string().as_bytes(), properties(notice)).await?.await
    };
    (notice, publishing.await)
}

fn message_id(notice: &DeadNotice) -> String {
    format!("{}.{}", notice.job, notice.run)
}

fn properties(notice: &DeadNotice) -> BasicProperties {
    let mut headers = FieldTable::default();
    let text = |text: &str| AMQPValue::LongString(text.into());
    headers.insert("kind".into(), text(notice.kind.as_str()));
    headers.insert("queue".into(), text(notice.queue.as_str()));
    headers.insert("reason".into(), text(&notice.reason));
    headers.insert("fingerprint".into(), text(&notice.fingerprint));
    headers.insert("attempts".into(), AMQPValue::LongInt(i32::from(notice.attempts)));
    BasicProperties::default()
        .with_message_id(message_id(notice).into())
        .with_content_type(CONTENT_TYPE.into())
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(u64::try_from(notice.at.micros() / 1_000_000).unwrap_or(0))
        .with_headers(headers)
}
