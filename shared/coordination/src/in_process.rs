//! The adapter inside one process: a bounded ring of events per job, a bounded number of jobs, one broadcast of nudges.

mod express;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use domain::JobId;
use domain::bounds::{FEED_BYTES_MAX, FEED_EVENTS_MAX, FEED_JOB_BYTES_MAX, FEED_JOBS_MAX, NUDGES_BEHIND_MAX};
use parking_lot::Mutex;
use tokio::sync::{Notify, broadcast};

use crate::{CoordinationError, Feed, FeedEntry, FeedEvent, FeedId, FeedPage, Nudge, NudgeListener, Nudges};

/// Feed, nudges and express lane of one process.
pub struct InProcess {
    feeds: Mutex<Feeds>,
    /// Told when a job has its first event.
    appeared: Notify,
    nudges: broadcast::Sender<Option<Nudge>>,
    express: Arc<express::Platform>,
}

impl Default for InProcess {
    fn default() -> Self {
        Self { feeds: Mutex::default(), appeared: Notify::new(), nudges: broadcast::channel(NUDGES_BEHIND_MAX).0, express: Arc::default() }
    }
}

#[derive(Default)]
struct Feeds {
    rings: HashMap<JobId, Ring>,
    /// Jobs in the order of their first event.
    order: VecDeque<JobId>,
    bytes: usize,
}

#[derive(Default)]
struct Ring {
    entries: VecDeque<FeedEntry>,
    bytes: usize,
    /// The last entry that was dropped to keep a bound.
    dropped: Option<FeedId>,
    ended: bool,
    arrived: Arc<Notify>,
}

impl Feeds {
    fn push(&mut self, job: JobId, entry: FeedEntry) {
        if !self.rings.contains_key(&job) {
            self.order.push_back(job);
        }
        let ring = self.rings.entry(job).or_default();
        self.bytes += ring.push(entry);
        while ring.entries.len() > FEED_EVENTS_MAX || (ring.entries.len() > 1 && ring.bytes > FEED_JOB_BYTES_MAX) {
            self.bytes -= ring.drop_oldest();
        }
        while self.order.len() > FEED_JOBS_MAX || self.bytes > FEED_BYTES_MAX {
            self.forget_one();
        }
    }

    /// The oldest job that has ended; without one, the oldest of all.
    fn forget_one(&mut self) {
        let ended = self.order.iter().position(|job| self.rings.get(job).is_none_or(|ring| ring.ended));
        let Some(ring) = self.order.remove(ended.unwrap_or(0)).and_then(|job| self.rings.remove(&job)) else { return };
        self.bytes -= ring.bytes;
        // Followers look again and find that it is gone.
        ring.arrived.notify_waiters();
    }
}

impl Ring {
    /// Returns how many bytes it grew by.
    fn push(&mut self, entry: FeedEntry) -> usize {
        if self.entries.back().is_some_and(|last| entry.id <= last.id) {
            return 0;
        }
        let size = size_of_entry(&entry);
        self.ended = entry.event == FeedEvent::Ended;
        self.entries.push_back(entry);
        self.bytes += size;
        self.arrived.notify_waiters();
        size
    }

    /// Returns how many bytes it shrank by.
    fn drop_oldest(&mut self) -> usize {
        let Some(entry) = self.entries.pop_front() else { return 0 };
        let size = size_of_entry(&entry);
        self.dropped = Some(entry.id);
        self.bytes -= size;
        size
    }

    fn page(&self, after: Option<FeedId>, limit: usize) -> FeedPage {
        let newer = self.entries.iter().filter(|entry| after.is_none_or(|after| entry.id > after));
        let gap = self.dropped.is_some_and(|dropped| after.is_none_or(|after| dropped > after));
        FeedPage { entries: newer.take(limit).cloned().collect(), gap }
    }
}

/// What an entry takes, about.
fn size_of_entry(entry: &FeedEntry) -> usize {
    let text = match &entry.event {
        FeedEvent::Progress(progress) => progress.message.as_ref().map_or(0, String::len),
        FeedEvent::Output { text } => text.len(),
        FeedEvent::Log { level, message } => level.len() + message.len(),
        FeedEvent::Ended => 0,
    };
    size_of::<FeedEntry>() + text
}

#[async_trait]
impl Feed for InProcess {
    async fn append(&self, job: JobId, entry: FeedEntry) -> Result<(), CoordinationError> {
        let first = {
            let mut feeds = self.feeds.lock();
            let first = !feeds.rings.contains_key(&job);
            feeds.push(job, entry);
            first
        };
        if first {
            self.appeared.notify_waiters();
        }
        Ok(())
    }

    async fn read(&self, job: JobId, after: Option<FeedId>, limit: usize) -> Result<FeedPage, CoordinationError> {
        Ok(self.feeds.lock().rings.get(&job).map(|ring| ring.page(after, limit)).unwrap_or_default())
    }

    async fn follow(&self, job: JobId, after: Option<FeedId>, limit: usize) -> Result<FeedPage, CoordinationError> {
        loop {
            // Both registered before looking, so that an event arriving in between wakes us.
            let appeared = self.appeared.notified();
            let ring = self.feeds.lock().rings.get(&job).map(|ring| Arc::clone(&ring.arrived));
            let arrived = ring.as_ref().map(|ring| ring.notified());
            let page = self.read(job, after, limit).await?;
            if !page.entries.is_empty() {
                return Ok(page);
            }
            match arrived {
                Some(arrived) => arrived.await,
                None => appeared.await,
            }
        }
    }
}

impl Nudges for InProcess {
    fn nudge(&self, nudge: Nudge) {
        // An error means that nobody listens, which is no error.
        let _ = self.nudges.send(Some(nudge));
    }

    fn listen(&self) -> NudgeListener {
        NudgeListener::new(self.nudges.subscribe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeedId;

    fn output(seq: u64, bytes: usize) -> FeedEntry {
        FeedEntry { id: FeedId { run: 1, seq }, event: FeedEvent::Output { text: "x".repeat(bytes) } }
    }

    fn job(n: u128) -> JobId {
        JobId::from_bytes(n.to_be_bytes())
    }

    /// I7: the feed is bounded in bytes, and jobs that have ended go first.
    #[tokio::test]
    async fn memory_is_bounded_and_ended_jobs_go_first() {
        let shared = InProcess::default();
        shared.append(job(0), output(1, 100)).await.expect("appended");
        for n in 1..200 {
            for seq in 1..20 {
                shared.append(job(n), output(seq, FEED_BYTES_MAX / 1_000)).await.expect("appended");
            }
            shared.append(job(n), FeedEntry { id: FeedId { run: 1, seq: 20 }, event: FeedEvent::Ended }).await.expect("appended");
            let feeds = shared.feeds.lock();
            assert!(feeds.bytes <= FEED_BYTES_MAX, "{} bytes", feeds.bytes);
            let really: usize = feeds.rings.values().map(|ring| ring.entries.iter().map(size_of_entry).sum::<usize>()).sum();
            assert_eq!(feeds.bytes, really, "the count is true");
        }
        let oldest = shared.read(job(0), None, 10).await.expect("read");
        assert_eq!(oldest.entries.len(), 1, "it has not ended, so it is kept");
    }
}
