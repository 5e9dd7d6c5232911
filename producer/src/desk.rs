//! The desk where jobs are taken in and acted upon: the store call and its announcements happen together or, for the
//! caller that hangs up in between, still together.

use std::sync::Arc;

use coordination::Nudge;
use domain::{JobId, JobState, NewJob, TenantId, Timestamp};
use store::{Acceptance, Accepted, Actor, EnqueueError, Intake, Mint, Remembered, Replay, StoreError};
use telemetry::Metrics;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::announcer::Announcer;
use crate::catalog::Catalog;
use crate::problem::Problem;

/// Batches in memory at the same time: each may be 32 MiB of text and as much again while it is judged.
const BATCHES_MAX: usize = 4;

/// What takes jobs in.
#[derive(Clone)]
pub struct Desk {
    pub catalog: Catalog,
    pub mint: Arc<Mint>,
    intake: Arc<dyn Intake>,
    announcer: Announcer,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    batches: Arc<Semaphore>,
}

/// What a [`Desk`] is made of.
pub struct DeskParts {
    pub intake: Arc<dyn Intake>,
    pub announcer: Announcer,
    pub metrics: Arc<Metrics>,
    pub mint: Arc<Mint>,
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Desk {
    pub fn new(parts: DeskParts) -> Self {
        let DeskParts { intake, announcer, metrics, mint, clock } = parts;
        Self {
            catalog: Catalog::new(Arc::clone(&intake)),
            mint,
            intake,
            announcer,
            metrics,
            clock,
            batches: Arc::new(Semaphore::new(BATCHES_MAX)),
        }
    }

    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Waits for a batch's turn; the turn ends when the answer is dropped.
    pub async fn batch_turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.batches).acquire_owned().await.ok()
    }

    pub async fn remembered(&self, tenant: &TenantId, keys: &[String]) -> Result<Vec<Option<Remembered>>, StoreError> {
        self.intake.remembered(tenant, keys).await
    }

    /// Records the jobs and tells the broker. One answer per job, in their order, and when they were recorded.
    pub async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<(Vec<Accepted>, Timestamp), Refused> {
        let desk = self.clone();
        sheltered(async move {
            let labels: Vec<_> = jobs.iter().map(|job| (job.queue.clone(), job.kind.clone())).collect();
            let enqueued = desk.intake.enqueue(jobs).await?;
            for ((queue, kind), accepted) in labels.iter().zip(&enqueued.accepted) {
                if accepted.how == Acceptance::New {
                    desk.metrics.jobs_accepted.with_label_values(&[queue.as_str(), kind.as_str()]).inc();
                }
            }
            desk.announcer.timer(enqueued.next_timer);
            desk.announcer.emit(&enqueued.emissions).await;
            Ok((enqueued.accepted, enqueued.at))
        })
        .await
        .map_err(Refused::Problem)?
        .map_err(Refused::Enqueue)
    }

    pub async fn cancel(&self, by: Actor, id: JobId, reason: Option<String>) -> Result<Replay, Problem> {
        let desk = self.clone();
        sheltered(async move {
            let replay = desk.intake.cancel(&by, id, reason.as_deref()).await.map_err(|error| Problem::of_act(error, "cancelled"))?;
            if replay.job.state == JobState::Running {
                desk.announcer.nudge(Nudge::Cancel { job: id });
            }
            desk.announcer.emit(&replay.emissions).await;
            Ok(replay)
        })
        .await?
    }

    pub async fn retry(&self, by: Actor, id: JobId, payload: Option<Arc<str>>) -> Result<Replay, Problem> {
        let desk = self.clone();
        sheltered(async move {
            let replay = desk.intake.retry(&by, id, payload).await.map_err(|error| Problem::of_act(error, "retried"))?;
            desk.announcer.emit(&replay.emissions).await;
            Ok(replay)
        })
        .await?
    }
}

/// Why jobs were not recorded: which item is at fault is the caller's to say.
pub enum Refused {
    Enqueue(EnqueueError),
    Problem(Problem),
}

/// Runs to the end whatever becomes of the request: between the commit and the hint to the broker nobody may get lost,
/// because an embedded broker learns of the job from nothing else.
async fn sheltered<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, Problem> {
    tokio::spawn(work).await.map_err(|error| Problem::internal(&error))
}
