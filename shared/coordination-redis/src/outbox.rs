//! How do nudges get to the other processes without anybody waiting for it?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use coordination::Nudge;
use domain::bounds::NUDGES_OUT_MAX;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::link::Link;
use crate::message;

/// Nudges that travel in one pipeline.
const BATCH_MAX: usize = 64;
/// How often it is tried to tell the others that they missed some.
const REMIND_EVERY: Duration = Duration::from_secs(1);

/// The bounded way out.
pub(crate) struct Outbox {
    sender: mpsc::Sender<Nudge>,
    dropped: Arc<AtomicU64>,
    _task: AbortOnDropHandle<()>,
}

impl Outbox {
    pub(crate) fn start(link: Arc<Link>, channel: String, process: Uuid) -> Self {
        let (sender, waiting) = mpsc::channel(NUDGES_OUT_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let carrier = Carrier { link, channel, process, waiting, dropped: Arc::clone(&dropped), owed: false, told_of: 0 };
        Self { sender, dropped, _task: AbortOnDropHandle::new(tokio::spawn(carrier.run())) }
    }

    /// Never waits: what finds no room becomes part of one "look at everything".
    pub(crate) fn put(&self, nudge: Nudge) {
        if self.sender.try_send(nudge).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

struct Carrier {
    link: Arc<Link>,
    channel: String,
    process: Uuid,
    waiting: mpsc::Receiver<Nudge>,
    dropped: Arc<AtomicU64>,
    /// The others missed some and have not been told.
    owed: bool,
    /// Of how many of those dropped they were told.
    told_of: u64,
}

impl Carrier {
    /// Ends when the sending end is gone.
    async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut ticks = interval(REMIND_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            batch.clear();
            tokio::select! {
                taken = self.waiting.recv_many(&mut batch, BATCH_MAX) => if taken == 0 { return },
                // What is owed is paid also when nobody has anything to say.
                _ = ticks.tick(), if self.owed => {}
            }
            batch.dedup();
            self.carry(&batch).await;
        }
    }

    async fn carry(&mut self, batch: &[Nudge]) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        let everything = (self.owed || dropped > self.told_of).then_some(None);
        let mut pipe = redis::pipe();
        for nudge in batch.iter().copied().map(Some).chain(everything) {
            pipe.publish(&self.channel, message::encode(self.process, nudge)).ignore();
        }
        match self.link.call(async |mut connection| pipe.query_async::<()>(&mut connection).await).await {
            Ok(()) => (self.owed, self.told_of) = (false, dropped),
            Err(_) => {
                self.owed = true;
                self.dropped.fetch_add(u64::try_from(batch.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        }
    }
}
