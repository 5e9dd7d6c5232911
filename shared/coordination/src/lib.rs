//! `coordination` is the port for what processes share to be fast and friendly: the live feed, nudges and the express lane.
//! Nothing here is needed for correctness: whoever misses a nudge looks again by itself, whoever misses an
//! event finds the outcome in the store, and every hint of the express lane is at the broker, too.

#[cfg(feature = "contract")]
pub mod contract;
mod express;
mod feed;
mod in_process;
mod nudge;

pub use express::{Express, ExpressHint, ExpressStop, by_priority};
pub use feed::{Feed, FeedEntry, FeedEvent, FeedId, FeedPage};
pub use in_process::InProcess;
pub use nudge::{Nudge, NudgeListener, Nudges};

/// Shared state could not be reached. Never a reason to fail a job.
#[derive(Debug, thiserror::Error)]
#[error("shared state is unavailable while {doing}")]
pub struct CoordinationError {
    pub doing: &'static str,
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}
