//! `scheduler` runs the fleet's housekeeping: promote, release, operate, rescue, resend, retain, and where the broker is another process
//! also prepare, reconcile, announce, record, stats. Any number of schedulers may run; there is no leader. It does not run jobs.

mod driver;
mod duties;
mod duty;
mod emitter;

use std::sync::Arc;

use broker::Broker;
use coordination::Nudges;
use domain::Timestamp;
use store::{Ledger, Retention, Steering, Upkeep};
use telemetry::Metrics;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use driver::{Board, DutyStatus};
pub use duties::{Announce, Operate, Prepare, Promote, Reconcile, Record, Release, Rescue, Resend, Retain, Stats};
pub use duty::{Duty, DutyError, Next, Report};
pub use emitter::Emitter;

use crate::driver::drive;

/// What the duties work with.
#[derive(Clone)]
pub struct Parts {
    pub upkeep: Arc<dyn Upkeep>,
    pub steering: Arc<dyn Steering>,
    /// Where the broker is another process; `None`: it is inside this one, and rebuilt from what is queued.
    pub ledger: Option<Arc<dyn Ledger>>,
    pub broker: Arc<dyn Broker>,
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
    let emitter = Emitter::new(Arc::clone(&parts.broker), Arc::clone(&parts.nudges));
    let crew = Crew { tasks: TaskTracker::new(), board, shutdown };
    crew.put_on(Promote::new(Arc::clone(&parts.upkeep), emitter.clone()), &parts);
    crew.put_on(Release::new(Arc::clone(&parts.upkeep), emitter.clone()), &parts);
    crew.put_on(Operate::new(Arc::clone(&parts.steering), emitter.clone(), Arc::clone(&parts.nudges)), &parts);
    crew.put_on(Rescue::new(Arc::clone(&parts.upkeep), emitter.clone(), predecessors), &parts);
    crew.put_on(Resend::new(Arc::clone(&parts.upkeep), emitter.clone(), parts.ledger.clone()), &parts);
    crew.put_on(Retain::new(Arc::clone(&parts.upkeep), parts.retention), &parts);
    if let Some(ledger) = &parts.ledger {
        put_on_those_of_the_ledger(&crew, &parts, ledger, emitter);
    }
    crew.tasks.close();
    crew.tasks.wait().await;
}

fn put_on_those_of_the_ledger(crew: &Crew, parts: &Parts, ledger: &Arc<dyn Ledger>, emitter: Emitter) {
    let (ledger, nudges, metrics) = (|| Arc::clone(ledger), || Arc::clone(&parts.nudges), || Arc::clone(&parts.metrics));
    crew.put_on(Prepare::new(Arc::clone(&parts.upkeep), metrics()), parts);
    crew.put_on(Reconcile::new(ledger(), nudges()), parts);
    crew.put_on(Announce::new(ledger(), emitter), parts);
    crew.put_on(Record::new(Arc::clone(&parts.broker), ledger(), nudges(), metrics()), parts);
    crew.put_on(Stats::new(ledger(), metrics()), parts);
}

/// The duties that run here.
struct Crew {
    tasks: TaskTracker,
    board: Arc<Board>,
    shutdown: CancellationToken,
}

impl Crew {
    fn put_on<D: Duty>(&self, duty: D, parts: &Parts) {
        self.tasks.spawn(drive(duty, parts.clone(), Arc::clone(&self.board), self.shutdown.clone()));
    }
}
