//! Makes the queues that are to exist, beside the sending: one that the broker refuses, or says nothing about, is told of once,
//! tried again now and then, and holds up nobody else.

use std::time::Duration;

use domain::QueueName;
use telemetry::chain;
use tokio::time::{Instant, sleep_until, timeout};

use crate::declare::Asking;
use crate::error::{CallError, Why};
use crate::hub::Hub;
use crate::line::Line;
use crate::made::{Of, called};
use crate::topology;
use crate::troubles::Deed;

/// How long the sending side waits for a queue that it hears of for the first time; a message before it would come back.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// How often it is looked whether a broker that takes nothing takes something again.
const BLOCKED_LOOK: Duration = Duration::from_secs(1);
/// While nothing is in trouble there is nothing to look for: whatever changes wakes us.
const IDLE_LOOK: Duration = Duration::from_secs(60);

/// Makes queues until the connection ends. Returns why.
pub(crate) async fn keep(line: &Line, hub: &Hub) -> CallError {
    let (mut known, mut made) = (hub.known.subscribe(), hub.made.subscribe());
    loop {
        known.mark_unchanged();
        made.mark_unchanged();
        // A blocked connection sends no questions either.
        let blocked = hub.publishing.blocked();
        if !blocked && let Err(ended) = pass(line, hub).await {
            return ended;
        }
        let idle = Instant::now() + if blocked { BLOCKED_LOOK } else { IDLE_LOOK };
        let look = made.borrow().again_at().filter(|_| !blocked).map_or(idle, |at| at.min(idle));
        tokio::select! {
            _ = known.changed() => {}
            _ = made.changed() => {}
            () = sleep_until(look) => {}
        }
    }
}

/// Waits for queues to have been tried, but not for long: where that takes its time, the others go on.
pub(crate) async fn tried(hub: &Hub, queues: &[QueueName]) {
    let mut made = hub.made.subscribe();
    // In time or not, what can be sent is sent.
    let _ = timeout(FIRST_WAIT, made.wait_for(|made| queues.iter().all(|queue| made.is_settled(queue)))).await;
}

/// Everything that is due, once.
async fn pass(line: &Line, hub: &Hub) -> Result<(), CallError> {
    let due = hub.made.borrow().due(&hub.known.borrow(), Instant::now());
    let shared_is_due = hub.made.borrow().shared_is_due(!due.is_empty(), Instant::now());
    let mut asking = Asking::new(line);
    if shared_is_due {
        let shared = asking.foundations(hub).await;
        note(line, hub, &None, shared).await?;
    }
    for queue in due {
        if hub.publishing.blocked() {
            return Ok(());
        }
        make(&mut asking, line, hub, &queue).await?;
    }
    Ok(())
}

/// Makes sure of where dead letters go. Nobody waits there, so nobody would notice that it was taken away.
pub(crate) async fn dead_letter_path(line: &Line, hub: &Hub, queues: &[QueueName]) -> Result<(), CallError> {
    let mut asking = Asking::new(line);
    if hub.made.borrow().is_well(&None) {
        let shared = asking.foundations(hub).await;
        note(line, hub, &None, shared).await?;
    }
    for queue in queues {
        let of = Some(queue.clone());
        // What is in trouble is tried again as a whole.
        if hub.made.borrow().is_well(&of) {
            let dead = asking.dead_queue(hub, queue).await;
            note(line, hub, &of, dead).await?;
        }
    }
    Ok(())
}

/// One queue of jobs. Hints go through it also when its dead letters have nowhere to go: those are in the ledger.
async fn make(asking: &mut Asking<'_>, line: &Line, hub: &Hub, queue: &QueueName) -> Result<(), CallError> {
    let of = Some(queue.clone());
    if let Err(reserved) = topology::usable(queue) {
        fail(hub, &of, reserved);
        hub.made.send_modify(|made| made.withhold(queue));
        return Ok(());
    }
    let dead = asking.dead_queue(hub, queue).await;
    if let Err(error) = &dead
        && (error.ends_the_line() || !line.is_up())
    {
        return note(line, hub, &of, dead).await;
    }
    let classes = asking.class_queues(hub, queue).await;
    if classes.is_ok() {
        hub.made.send_modify(|made| made.made(queue));
    }
    note(line, hub, &of, classes.and(dead)).await
}

/// Remembers how it went. The error is one of the connection.
async fn note(line: &Line, hub: &Hub, of: &Of, went: Result<(), CallError>) -> Result<(), CallError> {
    let Err(error) = went else {
        hub.troubles.over(&Deed::Make(of.clone()));
        let mut was_in_trouble = false;
        hub.made.send_if_modified(|made| {
            was_in_trouble = made.well(of);
            was_in_trouble
        });
        if was_in_trouble {
            tracing::info!("{} is as it should be again", called(of));
        }
        return Ok(());
    };
    if hub.publishing.blocked() {
        return Ok(());
    }
    // A line that is down explains everything, unless it is down because of this.
    if error.ends_the_line() || !line.is_up() {
        if error.breaks_the_line() {
            fail(hub, of, error.clone());
        }
        return Err(error);
    }
    if matches!(error.why, Why::TooLong(_)) {
        // Is it the queue that does not answer, or everything?
        line.channel().await?;
    }
    fail(hub, of, error);
    Ok(())
}

/// One line for each queue and reason.
fn fail(hub: &Hub, of: &Of, error: CallError) {
    let refused = hub.failed(Deed::Make(of.clone()), &error);
    let mut news = false;
    hub.made.send_modify(|made| news = made.failed(of, error.clone(), Instant::now()));
    if news && !refused {
        tracing::warn!(error = %chain(&error), "cannot make {} in RabbitMQ; the others go on, and it is tried again; {}", called(of), advice(&error));
    }
}

/// What an operator can do.
fn advice(error: &CallError) -> &'static str {
    match &error.why {
        Why::TooLong(_) => "look whether its leader and a majority of its nodes are up (`rabbitmq-queues quorum_status`)",
        Why::Ended(_) => "give the queue another name",
        Why::Client(_) => "look into RabbitMQ's log",
    }
}
