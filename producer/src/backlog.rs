//! How much waits? Counted by one caller at a time for all who ask meanwhile, because a long backlog takes long to count.

use std::sync::Arc;
use std::time::Duration;

use store::{Depth, Reports, StoreError};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long a caller waits for a count, its own or another's.
const COUNTED_WITHIN: Duration = Duration::from_secs(10);
/// A count that took no longer than this is made anew for everybody who asks.
const CHEAP: Duration = Duration::from_millis(50);
/// A dearer one is believed for so many times what it took: counting takes up a small part of the store at most.
const BELIEVED_TIMES: u32 = 10;
const BELIEVED_FOR_MAX: Duration = Duration::from_secs(30);
/// A failure is believed for this time, or for as long as it took.
const FAILURE_BELIEVED_FOR: Duration = Duration::from_secs(1);

const COUNTING: &str = "counting what waits";

/// Queued jobs of all tenants by class.
#[derive(Clone)]
pub struct Backlog {
    reports: Arc<dyn Reports>,
    latest: Arc<Mutex<Option<Count>>>,
}

struct Count {
    /// Or why it failed: a store that cannot count is not asked by everybody one after the other.
    depths: Result<Arc<Vec<Depth>>, String>,
    began: Instant,
    until: Instant,
}

impl Backlog {
    pub fn new(reports: Arc<dyn Reports>) -> Self {
        Self { reports, latest: Arc::default() }
    }

    /// What waits now, or did a moment ago if it is much.
    pub async fn depths(&self) -> Result<Arc<Vec<Depth>>, StoreError> {
        let backlog = self.clone();
        // On its own: a caller that does not wait for the end leaves it to the next one.
        let counting = tokio::spawn(async move { backlog.count(Instant::now()).await });
        let unavailable = |source| Err(StoreError::Unavailable { doing: COUNTING, source });
        match tokio::time::timeout(COUNTED_WITHIN, counting).await {
            Ok(Ok(counted)) => counted,
            Ok(Err(error)) => unavailable(error.into()),
            Err(late) => unavailable(late.into()),
        }
    }

    async fn count(&self, asked: Instant) -> Result<Arc<Vec<Depth>>, StoreError> {
        let mut latest = self.latest.lock().await;
        let began = Instant::now();
        if let Some(count) = latest.as_ref()
            && (count.began >= asked || began < count.until)
        {
            return count.told();
        }
        let depths = self.reports.depths().await.map(Arc::new).map_err(|error| telemetry::chain(&error));
        let now = Instant::now();
        let took = now.duration_since(began);
        let believed = match &depths {
            Ok(_) if took <= CHEAP => Duration::ZERO,
            Ok(_) => (took * BELIEVED_TIMES).min(BELIEVED_FOR_MAX),
            Err(_) => took.max(FAILURE_BELIEVED_FOR),
        };
        latest.insert(Count { depths, began, until: now + believed }).told()
    }
}

impl Count {
    fn told(&self) -> Result<Arc<Vec<Depth>>, StoreError> {
        self.depths.clone().map_err(|why| StoreError::Unavailable { doing: COUNTING, source: why.into() })
    }
}

#[cfg(test)]
mod tests;
