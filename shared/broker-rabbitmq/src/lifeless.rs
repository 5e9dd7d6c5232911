//! What becomes of a queue that has lost its process? RabbitMQ keeps its name, and answers whoever consumes it by closing the whole
//! connection. It is tried on a connection that nobody else uses, deleted, and made anew: the ledger knows what it held.

use domain::Class;
use lapin::options::{BasicConsumeOptions, BasicQosOptions, QueueDeleteOptions};
use lapin::types::FieldTable;

use crate::error::{CallError, Refused, call};
use crate::hub::Hub;
use crate::line::Line;
use crate::topology;

const NAME: &str = "flotilla (mend)";

/// Makes sure that consuming this class ends no connection. Afterwards its queue may be gone.
pub(crate) async fn mend(hub: &Hub, class: &Class) -> Result<(), CallError> {
    if !can_be_consumed(hub, class).await? {
        let queue = topology::class_queue(class);
        tracing::warn!("the RabbitMQ queue `{queue}` has no process: it is deleted and made anew, and what it held is sent again");
        let line = Line::open(&hub.address, NAME).await?;
        let deleting =
            async { call("deleting a queue", line.channel().await?.queue_delete(queue.into(), QueueDeleteOptions::default())).await };
        let deleted = deleting.await;
        line.close().await;
        deleted?;
    }
    hub.lifeless.lock().remove(class);
    Ok(())
}

async fn can_be_consumed(hub: &Hub, class: &Class) -> Result<bool, CallError> {
    let line = Line::open(&hub.address, NAME).await?;
    let trying = async {
        let channel = line.channel().await?;
        call("setting the prefetch", channel.basic_qos(1, BasicQosOptions::default())).await?;
        let queue = topology::class_queue(class).into();
        call("consuming", channel.basic_consume(queue, "".into(), BasicConsumeOptions::default(), FieldTable::default())).await.map(drop)
    };
    let tried = trying.await;
    // What came meanwhile goes back with the connection.
    let ended = tried.as_ref().is_err_and(CallError::ends_the_line);
    line.close().await;
    match tried {
        Err(_) if ended => Ok(false),
        // Then there is nothing to delete.
        Err(error) if error.refused() == Some(Refused::NotFound) => Ok(true),
        other => other.map(|()| true),
    }
}
