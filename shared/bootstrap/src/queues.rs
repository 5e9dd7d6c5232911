//! Which queues are there? The broker is told of every queue the store knows, and again when there are more.

use std::sync::Arc;
use std::time::Duration;

use broker::Broker;
use coordination::{Nudge, Nudges};
use domain::QueueName;
use store::{Store, StoreError};
use telemetry::chain;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::Engine;

/// How often the store is asked when nobody says that there is news.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Keeps the broker told.
pub struct QueueKeeper {
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    nudges: Arc<dyn Nudges>,
    /// Queues to declare in the store, until that is done.
    more: Vec<QueueName>,
}

impl QueueKeeper {
    /// `more`: queues besides those of known kinds.
    pub fn new(engine: &Engine, more: Vec<QueueName>) -> Self {
        Self { store: Arc::clone(&engine.store), broker: Arc::clone(&engine.broker), nudges: Arc::clone(&engine.nudges), more }
    }

    /// Declares the queues once. A broker that is away declares them when it is back.
    pub async fn pass(&mut self) -> Result<(), StoreError> {
        if !self.more.is_empty() {
            self.store.declare_queues(&self.more).await?;
            self.more.clear();
        }
        let queues = self.store.queues().await?;
        if let Err(error) = self.broker.declare(&queues).await {
            tracing::debug!(error = chain(&error), "queues are declared when the broker is back");
        }
        Ok(())
    }

    /// Looks until `stop`: when a worker came with its kinds, when nudges were missed, and now and then.
    pub async fn keep(mut self, stop: CancellationToken) {
        let mut heard = self.nudges.listen();
        let mut was_well = true;
        loop {
            let Some(passed) = stop.run_until_cancelled(self.pass()).await else { return };
            match &passed {
                Err(error) if was_well => tracing::warn!(error = chain(error), "queues could not be read; trying again"),
                _ => {}
            }
            was_well = passed.is_ok();
            let next = Instant::now() + LOOK_EVERY;
            let news = async { while !matches!(heard.next().await, Some(Nudge::Kinds) | None) {} };
            if stop.run_until_cancelled(timeout_at(next, news)).await.is_none() {
                return;
            }
        }
    }
}
