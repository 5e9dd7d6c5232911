//! The way from handlers to the live feed: bounded, and never in a handler's way. What does not fit leaves a hole
//! in the event numbers, which readers see as a gap.

use std::sync::Arc;

use coordination::{Feed, FeedEntry};
use domain::JobId;
use domain::bounds::FEEDLINE_EVENTS_MAX;
use tokio::sync::mpsc;

/// The sending end; clones share it.
#[derive(Clone)]
pub(crate) struct Feedline {
    sender: mpsc::Sender<(JobId, FeedEntry)>,
}

impl Feedline {
    /// Starts the one task that appends; it ends when the last sending end is gone.
    pub(crate) fn start(feed: Arc<dyn Feed>) -> Self {
        let (sender, mut receiver) = mpsc::channel::<(JobId, FeedEntry)>(FEEDLINE_EVENTS_MAX);
        tokio::spawn(async move {
            while let Some((job, entry)) = receiver.recv().await {
                if let Err(error) = feed.append(job, entry).await {
                    tracing::debug!(error = %telemetry::chain(&error), "a live event was lost; the outcome is in the store all the same");
                }
            }
        });
        Self { sender }
    }

    pub(crate) fn send(&self, job: JobId, entry: FeedEntry) {
        // Full or closed: the hole in the numbers tells.
        let _ = self.sender.try_send((job, entry));
    }
}
