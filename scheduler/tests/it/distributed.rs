//! A stage with a ledger, and the broker in another process.

use std::ops::Deref;
use std::sync::Arc;

use domain::{DeadNotice, Emission, KindName};
use scheduler::{Parts, Predecessors};

use crate::ledger::PlannedLedger;
use crate::remote::RemoteBroker;
use crate::running::Running;
use crate::stage::Stage;

pub struct Distributed {
    stage: Stage,
    pub ledger: Arc<PlannedLedger>,
    pub broker: Arc<RemoteBroker>,
}

impl Deref for Distributed {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl Distributed {
    pub fn new() -> Self {
        Self { stage: Stage::new(), ledger: Arc::default(), broker: RemoteBroker::with_room(1_000_000) }
    }

    pub fn start(&self) -> Running {
        let broker = Arc::clone(&self.broker) as _;
        Running::start(Parts { ledger: Some(Arc::clone(&self.ledger) as _), ..self.stage.parts(broker) }, Predecessors::Buried)
    }

    /// So many emissions of one job each are due.
    pub fn make_due(&self, count: usize) -> Vec<Emission> {
        let due: Vec<Emission> = (0..count).map(|_| self.emission(1)).collect();
        self.ledger.due.lock().extend_from_slice(&due);
        due
    }

    pub fn notices(&self, count: usize) -> Vec<DeadNotice> {
        let notice = |emission: Emission| DeadNotice {
            job: emission.jobs[0],
            run: 3,
            queue: emission.class.queue,
            kind: KindName::of("test.work"),
            reason: "gave up".to_owned(),
            fingerprint: "f00d".to_owned(),
            attempts: 3,
            at: self.at(std::time::Duration::ZERO),
        };
        (0..count).map(|_| notice(self.emission(1))).collect()
    }
}
