//! Which failure did a test plan for the next transaction? Inert in production.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A failure to happen once, in the next transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plan {
    /// The statement with this number fails, counted from 0 over what the operation executes; the one after
    /// its last is the commit.
    FailAt(u32),
    /// An operation panics at its first statement.
    Panic,
    /// The commit succeeds and the caller is told that it does not know.
    LoseReply,
}

/// The seam through which tests fail statements and hold the writer.
#[derive(Clone)]
pub struct PlannedFailures {
    next: Arc<Mutex<Option<Plan>>>,
    gate: Arc<Semaphore>,
}

impl Default for PlannedFailures {
    fn default() -> Self {
        Self { next: Arc::default(), gate: Arc::new(Semaphore::new(1)) }
    }
}

impl PlannedFailures {
    pub fn plan(&self, plan: Plan) {
        *self.next.lock() = Some(plan);
    }

    /// Forgets a plan; whether there still was one, because nothing was written or too few statements ran.
    pub fn forget(&self) -> bool {
        self.next.lock().take().is_some()
    }

    /// Keeps the writer from beginning its next transaction while the permit lives.
    pub async fn hold_writer(&self) -> Option<OwnedSemaphorePermit> {
        self.gate.clone().acquire_owned().await.ok()
    }

    pub(crate) async fn pass_gate(&self) {
        drop(self.gate.acquire().await);
    }

    /// Whether statement `number` of this transaction is to fail; uses up the plan.
    pub(crate) fn fails(&self, number: u32) -> bool {
        self.take_if(Plan::FailAt(number))
    }

    pub(crate) fn panics(&self) -> bool {
        self.take_if(Plan::Panic)
    }

    pub(crate) fn loses_reply(&self) -> bool {
        self.take_if(Plan::LoseReply)
    }

    fn take_if(&self, plan: Plan) -> bool {
        let mut next = self.next.lock();
        let hit = *next == Some(plan);
        if hit {
            *next = None;
        }
        hit
    }
}
