//! A scheduler that runs inside a test, however it is furnished.

use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use scheduler::{Board, DutyStatus, Parts, Predecessors};
use telemetry::Metrics;
use testkit::eventually;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Long against everything a duty waits for.
pub const LONG: Duration = Duration::from_secs(600);

pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

pub struct Running {
    pub board: Arc<Board>,
    pub metrics: Arc<Metrics>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub fn start(parts: Parts, predecessors: Predecessors) -> Self {
        let (board, shutdown) = (Arc::<Board>::default(), CancellationToken::new());
        let metrics = Arc::clone(&parts.metrics);
        let task = tokio::spawn(scheduler::run(parts, predecessors, Arc::clone(&board), shutdown.clone()));
        Self { board, metrics, shutdown, task }
    }

    pub fn status(&self, duty: &str) -> DutyStatus {
        self.board.statuses().remove(duty).unwrap_or_default()
    }

    /// What the duty did last, by its word.
    pub fn did(&self, duty: &str, what: &str) -> usize {
        self.status(duty).last_did.iter().find(|(word, _)| *word == what).map_or(0, |(_, count)| *count)
    }

    /// What the duty did in all its passes.
    pub fn items(&self, duty: &str, what: &str) -> u64 {
        self.metrics.duty_items.with_label_values(&[duty, what]).get()
    }

    /// How many passes ended like this: `ok` or `failed`.
    pub fn passes(&self, duty: &str, result: &str) -> u64 {
        self.metrics.duty_runs.with_label_values(&[duty, result]).get()
    }

    /// Until the duty has ended this many passes.
    pub async fn ran(&self, duty: &str, passes: u64) {
        eventually(&format!("pass {passes} of {duty}"), LONG, async || {
            let status = self.status(duty);
            if status.runs >= passes { Ok(()) } else { Err(format!("{status:?}")) }
        })
        .await;
    }

    pub fn ask_to_stop(&self) {
        self.shutdown.cancel();
    }

    pub fn has_stopped(&self) -> bool {
        self.task.is_finished()
    }

    pub async fn stop(self) {
        self.ask_to_stop();
        testkit::within("the scheduler stops", LONG, self.task).await.expect("the scheduler does not panic");
    }
}
