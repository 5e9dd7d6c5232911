//! Looks at the broker from outside. Class queues: one that was found empty twice has lost whatever was published before the first look,
//! unless a worker holds it. Whether one does is for the ledger to know.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use domain::{Class, Doubt, QueueName, Timestamp, Unsent};
use tokio::time::{MissedTickBehavior, interval};

use crate::declare::Asking;
use crate::hub::Hub;
use crate::line::Line;
use crate::making;
use crate::topology;

/// The time between two looks at a class.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Looks again and again, where this process is to do so.
pub(crate) async fn at_class_queues(hub: &Hub, line: &Line) -> Infallible {
    if !hub.options.watches {
        return std::future::pending().await;
    }
    // When a class that is empty was found so the last time.
    let mut empty: HashMap<Class, Timestamp> = HashMap::new();
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let declared: Vec<QueueName> = hub.made.borrow().queues();
        // A blocked connection sends no questions either.
        if hub.publishing.blocked() {
            empty.clear();
            continue;
        }
        let mut asking = Asking::new(line);
        for class in declared.iter().flat_map(topology::classes) {
            look_at(hub, &mut asking, class, &mut empty).await;
        }
        // A connection that is lost tells its owner by itself.
        let _ = making::dead_letter_path(line, hub, &declared).await;
    }
}

async fn look_at(hub: &Hub, asking: &mut Asking<'_>, class: Class, empty: &mut HashMap<Class, Timestamp>) {
    let now = (hub.options.clock)();
    match asking.find(&topology::class_queue(&class)).await {
        Ok(Some(found)) if found.messages == 0 => {
            if let Some(before) = empty.insert(class.clone(), now) {
                hub.options.ledger.doubt(Unsent::Class { class, doubt: Doubt::Drained { before } });
            }
        }
        Ok(found) => {
            empty.remove(&class);
            if found.is_none() {
                hub.missing(&class.queue);
            }
        }
        // Not seen this time: the next look is the first of two again.
        Err(_) => _ = empty.remove(&class),
    }
}
