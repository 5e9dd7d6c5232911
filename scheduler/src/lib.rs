//! `scheduler` runs the fleet's housekeeping: promote, release, rescue, resend, retain. Any number of schedulers may run;
//! there is no leader. It does not run jobs.

mod driver;
mod duties;
mod duty;
mod emitter;

use std::sync::Arc;

use broker::Publisher;
use coordination::Nudges;
use domain::Timestamp;
use store::{Retention, Upkeep};
use telemetry::Metrics;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use driver::{Board, DutyStatus};
pub use duties::{Promote, Release, Rescue, Resend, Retain};
pub use duty::{Duty, DutyError, Next, Report};
pub use emitter::Emitter;

use crate::driver::drive;

/// What the duties work with.
#[derive(Clone)]
pub struct Parts {
    pub upkeep: Arc<dyn Upkeep>,
    pub publisher: Arc<dyn Publisher>,
    pub nudges: Arc<dyn Nudges>,
    /// The store's clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub metrics: Arc<Metrics>,
    pub retention: Retention,
}

/// Whether workers of before may still be alive when this scheduler starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predecessors {
    /// They may: the rescuer first waits two lease times (queue-core, *Fences and idempotence*).
    MayLive,
    /// They cannot: this process holds the store alone, and has buried them.
    Buried,
}

/// Runs every duty until `shutdown`, then waits for those in the middle of a pass.
pub async fn run(parts: Parts, predecessors: Predecessors, board: Arc<Board>, shutdown: CancellationToken) {
    let emitter = Emitter::new(Arc::clone(&parts.upkeep), Arc::clone(&parts.publisher), Arc::clone(&parts.nudges));
    let tasks = TaskTracker::new();
    tasks.spawn(drive(Promote::new(Arc::clone(&parts.upkeep), emitter.clone()), parts.clone(), Arc::clone(&board), shutdown.clone()));
    tasks.spawn(drive(Release::new(Arc::clone(&parts.upkeep), emitter.clone()), parts.clone(), Arc::clone(&board), shutdown.clone()));
    tasks.spawn(drive(
        Rescue::new(Arc::clone(&parts.upkeep), emitter.clone(), predecessors),
        parts.clone(),
        Arc::clone(&board),
        shutdown.clone(),
    ));
    tasks.spawn(drive(Resend::new(Arc::clone(&parts.upkeep), emitter), parts.clone(), Arc::clone(&board), shutdown.clone()));
    tasks.spawn(drive(Retain::new(Arc::clone(&parts.upkeep), parts.retention), parts, board, shutdown));
    tasks.close();
    tasks.wait().await;
}
