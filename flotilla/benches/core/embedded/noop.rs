//! A kind that does nothing but note when it started.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kinds::Kind;
use parking_lot::Mutex;
use runtime::{Handler, JobContext};
use tokio::sync::Notify;
use tokio::time::Instant;

/// About as large as the payloads of the peers' measurements (200 bytes).
#[derive(serde::Deserialize, schemars::JsonSchema)]
pub struct Noop {
    pub number: usize,
    #[serde(default)]
    #[expect(dead_code, reason = "it is there for its size")]
    pub padding: String,
}

impl Kind for Noop {
    const NAME: &'static str = "bench.noop";
    const QUEUE: &'static str = "bench";
}

/// A submission of number `number`.
pub fn submission(number: usize) -> serde_json::Value {
    serde_json::json!({ "kind": Noop::NAME, "payload": { "number": number, "padding": "x".repeat(150) } })
}

/// Which jobs ran, and when they started.
#[derive(Default, Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    started: Mutex<Vec<(usize, Instant)>>,
    count: AtomicUsize,
    arrived: Notify,
}

pub struct NoopHandler(Log);

impl Log {
    pub fn handler(&self) -> NoopHandler {
        NoopHandler(self.clone())
    }

    pub fn count(&self) -> usize {
        self.shared.count.load(Ordering::Acquire)
    }

    pub fn started(&self) -> Vec<(usize, Instant)> {
        self.shared.started.lock().clone()
    }

    /// Waits until so many have run.
    pub async fn reached(&self, count: usize) {
        loop {
            let arrived = self.shared.arrived.notified();
            if self.count() >= count {
                return;
            }
            arrived.await;
        }
    }
}

impl Handler<Noop> for NoopHandler {
    type Output = ();

    async fn run(&self, noop: Noop, _: &JobContext) -> Result<(), domain::Failure> {
        let now = Instant::now();
        self.0.shared.started.lock().push((noop.number, now));
        self.0.shared.count.fetch_add(1, Ordering::AcqRel);
        self.0.shared.arrived.notify_waiters();
        Ok(())
    }
}
