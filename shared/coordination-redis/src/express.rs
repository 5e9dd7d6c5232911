//! The express lane: one list per class, written by whoever took jobs in, and popped by workers that wait.

use std::sync::Arc;

use coordination::{Express, ExpressHint, ExpressStop, by_priority};
use domain::QueueName;
use domain::bounds::{EXPRESS_HINTS_MAX, EXPRESS_KEPT, EXPRESS_OUT_MAX};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};
use tokio_util::task::AbortOnDropHandle;

use crate::RedisCoordination;
use crate::link::Link;
use crate::stop::RedisStop;
use crate::ticket;

/// Hints that travel in one pipeline.
const BATCH_MAX: usize = 16;
/// A hint that could not leave for so long is left to the broker, which is as fast by then.
const STALE_AFTER: Duration = Duration::from_millis(50);

/// The place of the oldest hint that stays in a list, counted from 0.
const LAST_KEPT: isize = EXPRESS_HINTS_MAX.cast_signed() - 1;

/// One hint on its way to its list.
struct Outgoing {
    list: String,
    ticket: Vec<u8>,
    since: Instant,
}

/// The bounded way to the lists.
pub(crate) struct Offers {
    sender: mpsc::Sender<Outgoing>,
    _task: AbortOnDropHandle<()>,
}

impl Offers {
    pub(crate) fn start(link: Arc<Link>) -> Self {
        let (sender, waiting) = mpsc::channel(EXPRESS_OUT_MAX);
        Self { sender, _task: AbortOnDropHandle::new(tokio::spawn(carry(link, waiting))) }
    }
}

/// Ends when the sending end is gone.
async fn carry(link: Arc<Link>, mut waiting: mpsc::Receiver<Outgoing>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let mut pipe = redis::pipe();
        let mut is_empty = true;
        for Outgoing { list, ticket, since } in batch.drain(..) {
            if since.elapsed() < STALE_AFTER {
                is_empty = false;
                // Whoever waits has it as soon as it is pushed. What nobody takes is bounded, and goes by itself.
                pipe.lpush(&list, ticket).ignore();
                pipe.ltrim(&list, 0, LAST_KEPT).ignore();
                pipe.pexpire(&list, i64::try_from(EXPRESS_KEPT.as_millis()).unwrap_or(i64::MAX)).ignore();
            }
        }
        if !is_empty {
            // Nothing depends on it: the broker has the same hints.
            let _ = link.call(async |mut connection| pipe.query_async::<()>(&mut connection).await).await;
        }
    }
}

impl Express for RedisCoordination {
    fn offer(&self, hint: ExpressHint) -> bool {
        if !self.commands.is_up() {
            return false;
        }
        let outgoing = Outgoing { list: self.names.express(&hint.emission.class), ticket: ticket::encode(&hint), since: Instant::now() };
        self.offers.sender.try_send(outgoing).is_ok()
    }

    fn stop(&self, queues: &[QueueName]) -> Box<dyn ExpressStop> {
        let lists = by_priority(queues).into_iter().map(|class| (self.names.express(&class), class)).collect();
        Box::new(RedisStop::start(self.server.clone(), lists))
    }
}
