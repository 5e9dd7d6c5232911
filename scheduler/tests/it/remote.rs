//! A broker in another process, as duties see it: it takes what it has room for, remembers it, and has dead letters.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use broker::{Broker, BrokerError, DeadContent, DeadLetter, DeadLetters, Lack, Publisher, Subscriber, Subscription};
use domain::{DeadNotice, Emission, EmissionId, JobId, QueueName};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// It lacks nothing: what it has lost is for the ledger to find.
#[derive(Default)]
pub struct RemoteBroker {
    /// How many emissions it still takes.
    pub room: AtomicUsize,
    pub published: Mutex<Vec<Emission>>,
    /// How often it was offered something.
    pub offers: AtomicUsize,
    pub announced: Mutex<Vec<JobId>>,
    /// Jobs it does not confirm to have told of.
    pub mute_about: Mutex<Vec<JobId>>,
    pub is_away: AtomicBool,
    dead: Arc<DeadQueue>,
}

#[derive(Default)]
struct DeadQueue {
    waiting: Mutex<VecDeque<DeadContent>>,
    recorded: AtomicUsize,
    /// Letters that were drawn and came back.
    returned: AtomicUsize,
    /// Streams opened so far; an older one has ended.
    streams: AtomicUsize,
    told: Notify,
}

impl RemoteBroker {
    pub fn with_room(room: usize) -> Arc<Self> {
        Arc::new(Self { room: AtomicUsize::new(room), ..Self::default() })
    }

    pub fn make_room(&self, room: usize) {
        self.room.store(room, Ordering::SeqCst);
    }

    pub fn offers(&self) -> usize {
        self.offers.load(Ordering::SeqCst)
    }

    pub fn ids(&self) -> Vec<EmissionId> {
        self.published.lock().iter().map(|emission| emission.id).collect()
    }

    pub fn bury(&self, contents: impl IntoIterator<Item = DeadContent>) {
        self.dead.waiting.lock().extend(contents);
        self.dead.told.notify_waiters();
    }

    /// Dead letters that wait, that were recorded, and that came back unrecorded.
    pub fn dead(&self) -> (usize, usize, usize) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        (self.dead.waiting.lock().len(), count(&self.dead.recorded), count(&self.dead.returned))
    }

    /// Whoever reads dead letters is told that the stream has ended.
    pub fn end_streams(&self) {
        self.dead.streams.fetch_add(1, Ordering::SeqCst);
        self.dead.told.notify_waiters();
    }

    fn present(&self) -> Result<(), BrokerError> {
        let away = BrokerError::Unavailable { doing: "answering", source: "the line is cut".into() };
        if self.is_away.load(Ordering::SeqCst) { Err(away) } else { Ok(()) }
    }
}

#[async_trait]
impl Publisher for RemoteBroker {
    async fn declare(&self, _queues: &[QueueName]) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn publish(&self, emissions: &[Emission]) -> Result<Vec<EmissionId>, BrokerError> {
        self.offers.fetch_add(1, Ordering::SeqCst);
        let taken = emissions.len().min(self.room.load(Ordering::SeqCst));
        self.room.fetch_sub(taken, Ordering::SeqCst);
        self.published.lock().extend_from_slice(&emissions[..taken]);
        Ok(emissions[..taken].iter().map(|emission| emission.id).collect())
    }

    async fn lacks(&self) -> Result<Vec<Lack>, BrokerError> {
        Ok(Vec::new())
    }

    async fn refilled(&self, _lack: &Lack) {}

    async fn announce(&self, notices: &[DeadNotice]) -> Result<Vec<JobId>, BrokerError> {
        self.present()?;
        let mute = self.mute_about.lock();
        let told: Vec<JobId> = notices.iter().map(|notice| notice.job).filter(|job| !mute.contains(job)).collect();
        self.announced.lock().extend_from_slice(&told);
        Ok(told)
    }
}

#[async_trait]
impl Broker for RemoteBroker {
    async fn subscribe(&self, _to: Subscription, _slots: u32) -> Result<Box<dyn Subscriber>, BrokerError> {
        panic!("a duty runs no jobs");
    }

    async fn dead_letters(&self) -> Result<Box<dyn DeadLetters>, BrokerError> {
        self.present()?;
        let stream = self.dead.streams.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Box::new(Stream { dead: Arc::clone(&self.dead), stream }))
    }
}

struct Stream {
    dead: Arc<DeadQueue>,
    stream: usize,
}

#[async_trait]
impl DeadLetters for Stream {
    async fn next(&self) -> Result<DeadLetter, BrokerError> {
        loop {
            let told = self.dead.told.notified();
            if self.dead.streams.load(Ordering::SeqCst) != self.stream {
                return Err(BrokerError::Closed);
            }
            let Some(content) = self.dead.waiting.lock().pop_front() else {
                told.await;
                continue;
            };
            let mut unanswered = Unanswered(Some((content.clone(), Arc::clone(&self.dead))));
            let recorded = move || {
                if let Some((_, dead)) = unanswered.0.take() {
                    dead.recorded.fetch_add(1, Ordering::SeqCst);
                }
            };
            return Ok(DeadLetter::new(content, Box::new(recorded)));
        }
    }
}

/// Comes back when it is dropped.
struct Unanswered(Option<(DeadContent, Arc<DeadQueue>)>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some((content, dead)) = self.0.take() {
            dead.returned.fetch_add(1, Ordering::SeqCst);
            dead.waiting.lock().push_back(content);
            dead.told.notify_waiters();
        }
    }
}
