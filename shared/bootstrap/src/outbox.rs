//! Takes the broker's news about emissions without ever making it wait, and tells the ledger about once a second: by then most
//! of what was confirmed has been claimed, and its row is gone.
//!
//! What is lost here costs time, never a job: an emission without a confirmation is sent again, and one that the broker lost is
//! found by the reconciliation.

mod backlog;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use coordination::{Nudge, Nudges};
use domain::bounds::FLUSH_JOBS_MAX;
use domain::{EmissionId, Timestamp, Unsent};
use parking_lot::Mutex;
use store::{Ledger, StoreError};
use telemetry::{Metrics, chain};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::backlog::{Backlog, Doubted};

/// How often the ledger is told; well below the time after which an emission without a confirmation is sent again.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How long one call of the store may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the last news may take at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// When a loss is looked into once more: other processes may have been about to record confirmations of what was lost.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The ledger's ear at the broker. Dropping it ends its task; [`Outbox::close`] ends it well.
pub struct Outbox {
    shared: Arc<Shared>,
    stop: CancellationToken,
    task: Mutex<Option<AbortOnDropHandle<()>>>,
}

impl Outbox {
    /// Call it inside a tokio runtime.
    pub fn start(ledger: Arc<dyn Ledger>, nudges: Arc<dyn Nudges>, metrics: Arc<Metrics>) -> Arc<Self> {
        let shared = Arc::new(Shared { ledger, nudges, metrics, backlog: Mutex::default(), doubted: Notify::new() });
        let stop = CancellationToken::new();
        let task = AbortOnDropHandle::new(tokio::spawn(run(Arc::clone(&shared), stop.clone())));
        Arc::new(Self { shared, stop, task: Mutex::new(Some(task)) })
    }

    /// Tells the ledger what is left, within 2 s. What comes later is not told any more. Close the broker first, then this, then
    /// the store.
    pub async fn close(&self) {
        self.stop.cancel();
        let task = self.task.lock().take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(error = chain(&error), "the outbox ended badly; what it had not told is sent again");
        }
    }
}

impl broker::Ledger for Outbox {
    fn confirmed(&self, emission: EmissionId, at: Timestamp) {
        let mut backlog = self.shared.backlog.lock();
        let dropped = backlog.confirm(emission, at);
        self.shared.count(&backlog, dropped);
    }

    fn doubt(&self, unsent: Unsent) {
        let mut backlog = self.shared.backlog.lock();
        let dropped = backlog.doubt(unsent);
        self.shared.count(&backlog, dropped);
        self.shared.doubted.notify_one();
    }
}

struct Shared {
    ledger: Arc<dyn Ledger>,
    nudges: Arc<dyn Nudges>,
    metrics: Arc<Metrics>,
    backlog: Mutex<Backlog>,
    /// Told of doubts: they do not wait for the next second.
    doubted: Notify,
}

async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut tick = interval(TELL_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_away = false;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = tick.tick() => {}
            // A store that does not answer is asked once a second, however much there is to tell.
            () = shared.doubted.notified(), if !is_away => {}
        }
        // What is cut short is still in the backlog.
        let Some(told) = stop.run_until_cancelled(shared.tell()).await else { break };
        match &told {
            Ok(()) if is_away => tracing::info!("the ledger is told again what the broker says"),
            Err(error) if !is_away => {
                tracing::warn!(error = chain(error), "the ledger cannot be told what the broker says: it is kept, and told later");
            }
            Ok(()) | Err(_) => {}
        }
        is_away = told.is_err();
    }
    if !matches!(timeout(CLOSE_TIMEOUT, shared.tell()).await, Ok(Ok(()))) {
        let count = shared.backlog.lock().waiting();
        tracing::warn!(count, "stopped before the ledger was told all that the broker said; what is missing is sent again");
    }
}

impl Shared {
    /// Everything that is here now. Confirmations come first: a doubt is about rows whose confirmations are recorded.
    async fn tell(&self) -> Result<(), StoreError> {
        self.tell_confirmed().await?;
        self.tell_doubts().await
    }

    async fn tell_confirmed(&self) -> Result<(), StoreError> {
        let end = self.backlog.lock().confirmed_end();
        loop {
            let (batch, upto) = self.backlog.lock().confirmed(FLUSH_JOBS_MAX, end);
            if batch.is_empty() {
                return Ok(());
            }
            let what = match call("recording confirmations", self.ledger.sent(&batch)).await {
                Ok(()) => "confirmed",
                Err(error) => {
                    given_up(error)?;
                    "dropped"
                }
            };
            self.metrics.outbox_items.with_label_values(&[what]).inc_by(number(batch.len()));
            let mut backlog = self.backlog.lock();
            backlog.forget_confirmed(upto);
            self.count(&backlog, 0);
        }
    }

    async fn tell_doubts(&self) -> Result<(), StoreError> {
        let rounds = self.backlog.lock().doubts(Instant::now());
        for _ in 0..rounds {
            let next = self.backlog.lock().next_doubt();
            let Some(doubted) = next else { break };
            match self.look_into(&doubted).await {
                Ok(count) => self.metrics.outbox_items.with_label_values(&["unsent"]).inc_by(number(count)),
                Err(error) => given_up(error)?,
            }
            let mut backlog = self.backlog.lock();
            backlog.settle(&doubted, Instant::now() + LOOK_AGAIN_AFTER);
            self.count(&backlog, 0);
        }
        Ok(())
    }

    /// Has everything sent again that this concerns; returns how many emissions that were.
    async fn look_into(&self, doubted: &Doubted) -> Result<usize, StoreError> {
        let (what, mut count) = (doubted.unsent(), 0);
        loop {
            let found = call("recording what the broker lost", self.ledger.unsent(&what, FLUSH_JOBS_MAX)).await?;
            count += found;
            if found > 0 {
                self.nudges.nudge(Nudge::Emissions);
            }
            if found < FLUSH_JOBS_MAX {
                break;
            }
        }
        if let (Unsent::Class { class, doubt: _ }, true) = (&what, count > 0) {
            tracing::warn!(queue.name = %class.queue, count, "the broker has lost messages of a queue: they are sent again");
        }
        Ok(count)
    }

    fn count(&self, backlog: &Backlog, dropped: usize) {
        self.metrics.outbox_waiting.set(i64::try_from(backlog.waiting()).unwrap_or(i64::MAX));
        if dropped > 0 {
            self.metrics.outbox_items.with_label_values(&["dropped"]).inc_by(number(dropped));
        }
    }
}

/// What the store will never take must not keep the rest.
fn given_up(error: StoreError) -> Result<(), StoreError> {
    let StoreError::Broken { .. } = error else { return Err(error) };
    tracing::error!(error = chain(&error), "the ledger refuses what the broker says: given up; what is missing is sent again");
    Ok(())
}

async fn call<T>(doing: &'static str, calling: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |elapsed| Err(StoreError::Unavailable { doing, source: Box::new(elapsed) });
    timeout(CALL_TIMEOUT, calling).await.unwrap_or_else(late)
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
