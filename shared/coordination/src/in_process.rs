//! The adapter inside one process: a bounded ring of events per job, a bounded number of jobs, one broadcast of nudges.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use domain::JobId;
use domain::bounds::{FEED_EVENTS_MAX, FEED_JOBS_MAX};
use parking_lot::Mutex;
use tokio::sync::{Notify, broadcast};

use crate::{CoordinationError, Feed, FeedEntry, FeedId, FeedPage, Nudge, NudgeListener, Nudges};

/// Nudges a slow listener may be behind before it is told to look at everything.
const NUDGES_BEHIND_MAX: usize = 1_024;

/// Feed and nudges of one process.
pub struct InProcess {
    feeds: Mutex<Feeds>,
    nudges: broadcast::Sender<Nudge>,
}

#[derive(Default)]
struct Feeds {
    rings: HashMap<JobId, Ring>,
    /// Jobs in the order of their first event; the first is forgotten first.
    order: VecDeque<JobId>,
}

#[derive(Default)]
struct Ring {
    entries: VecDeque<FeedEntry>,
    /// The last entry that was dropped to keep the bound.
    dropped: Option<FeedId>,
    arrived: Arc<Notify>,
}

impl Default for InProcess {
    fn default() -> Self {
        Self { feeds: Mutex::default(), nudges: broadcast::channel(NUDGES_BEHIND_MAX).0 }
    }
}

impl Feeds {
    fn ring(&mut self, job: JobId) -> &mut Ring {
        if !self.rings.contains_key(&job) {
            self.order.push_back(job);
            if self.order.len() > FEED_JOBS_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.rings.remove(&oldest);
            }
        }
        self.rings.entry(job).or_default()
    }
}

impl Ring {
    fn push(&mut self, entry: FeedEntry) {
        if self.entries.len() == FEED_EVENTS_MAX {
            self.dropped = self.entries.pop_front().map(|entry| entry.id);
        }
        self.entries.push_back(entry);
        self.arrived.notify_waiters();
    }

    fn page(&self, after: Option<FeedId>, limit: usize) -> FeedPage {
        let newer = self.entries.iter().filter(|entry| after.is_none_or(|after| entry.id > after));
        FeedPage {
            entries: newer.take(limit).cloned().collect(),
            gap: self.dropped.is_some_and(|dropped| after.is_none_or(|after| dropped > after)),
        }
    }
}

#[async_trait]
impl Feed for InProcess {
    async fn append(&self, job: JobId, entry: FeedEntry) -> Result<(), CoordinationError> {
        self.feeds.lock().ring(job).push(entry);
        Ok(())
    }

    async fn read(&self, job: JobId, after: Option<FeedId>, limit: usize) -> Result<FeedPage, CoordinationError> {
        Ok(self.feeds.lock().rings.get(&job).map(|ring| ring.page(after, limit)).unwrap_or_default())
    }

    async fn follow(&self, job: JobId, after: Option<FeedId>, limit: usize) -> Result<FeedPage, CoordinationError> {
        loop {
            let arrived = Arc::clone(&self.feeds.lock().ring(job).arrived);
            // Registered before looking, so that an event arriving in between wakes us.
            let arrived = arrived.notified();
            let page = self.read(job, after, limit).await?;
            if !page.entries.is_empty() {
                return Ok(page);
            }
            arrived.await;
        }
    }
}

impl Nudges for InProcess {
    fn nudge(&self, nudge: Nudge) {
        // An error means that nobody listens, which is no error.
        let _ = self.nudges.send(nudge);
    }

    fn listen(&self) -> NudgeListener {
        NudgeListener::new(self.nudges.subscribe())
    }
}
