//! The desk where jobs are taken in and acted upon: the store call and its announcements happen together or, for the
//! caller that hangs up in between, still together.

use std::collections::BTreeMap;
use std::sync::Arc;

use coordination::Nudge;
use domain::bounds::EXPRESS_LEAD;
use domain::{Act, JobId, JobState, KindName, NewJob, NewOperation, Operation, QueueName, TenantId, Timestamp};
use store::{Acceptance, Accepted, ActError, Actor, EnqueueError, Intake, Mint, Remembered, Replay, Steering, StoreError};
use telemetry::Metrics;

use crate::admission;
use crate::announcer::Announcer;
use crate::batch_room::BatchRoom;
use crate::catalog::Catalog;
use crate::lone::Lone;
use crate::problem::Problem;

/// What takes jobs in.
#[derive(Clone)]
pub struct Desk {
    pub catalog: Catalog,
    pub mint: Arc<Mint>,
    pub batch_room: BatchRoom,
    intake: Arc<dyn Intake>,
    steering: Arc<dyn Steering>,
    announcer: Announcer,
    lone: Arc<Lone>,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// What a [`Desk`] is made of.
pub struct DeskParts {
    pub intake: Arc<dyn Intake>,
    pub steering: Arc<dyn Steering>,
    pub announcer: Announcer,
    pub lone: Lone,
    pub metrics: Arc<Metrics>,
    pub mint: Arc<Mint>,
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Desk {
    pub fn new(parts: DeskParts) -> Self {
        let DeskParts { intake, steering, announcer, lone, metrics, mint, clock } = parts;
        let catalog = Catalog::new(Arc::clone(&intake));
        Self { catalog, mint, batch_room: BatchRoom::default(), intake, steering, announcer, lone: Arc::new(lone), metrics, clock }
    }

    pub fn now(&self) -> Timestamp {
        (self.clock)()
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
            for ((queue, kind), count) in new_by_class(labels, &enqueued.accepted) {
                desk.metrics.jobs_accepted.with_label_values(&[queue.as_str(), kind.as_str()]).inc_by(count);
            }
            desk.announcer.timer(enqueued.next_timer);
            if desk.lone.offer(&enqueued.emissions, desk.now()).await {
                desk.announcer.emit_later(enqueued.emissions, EXPRESS_LEAD);
            } else {
                desk.announcer.emit(&enqueued.emissions).await;
            }
            Ok((enqueued.accepted, enqueued.at))
        })
        .await
        .map_err(Refused::Problem)?
        .map_err(Refused::Enqueue)
    }

    /// Does what an operator asks for to one job, and tells whom it concerns. An edited payload is for a retry only.
    pub async fn act(&self, by: Actor, id: JobId, wish: Wish) -> Result<Replay, Problem> {
        let desk = self.clone();
        sheltered(async move {
            let Wish { act, reason, payload } = wish;
            let reason = reason.as_deref();
            let done = match act {
                Act::Cancel => desk.intake.cancel(&by, id, reason).await,
                Act::Retry => desk.intake.retry(&by, id, payload).await,
                Act::Reprioritize { priority } => desk.steering.reprioritize(&by, id, priority, reason).await,
                Act::Reschedule { run_at } => desk.steering.reschedule(&by, id, run_at, reason).await,
                Act::RunNow => desk.steering.run_now(&by, id, reason).await,
            };
            let replay = done.map_err(|error| refused(error, &act))?;
            if act == Act::Cancel && replay.job.state == JobState::Running {
                desk.announcer.nudge(Nudge::Cancel { job: id });
            }
            desk.announcer.timer(replay.next_timer);
            desk.announcer.emit(&replay.emissions).await;
            Ok(replay)
        })
        .await?
    }

    /// Records an operation, and wakes whoever carries operations out.
    pub async fn begin(&self, by: Actor, new: NewOperation) -> Result<Operation, Problem> {
        let desk = self.clone();
        sheltered(async move {
            let operation = desk.steering.operation_begin(&by, &new).await?;
            desk.announcer.nudge(Nudge::Operations);
            Ok(operation)
        })
        .await?
    }
}

/// What an operator asks for.
pub struct Wish {
    pub act: Act,
    pub reason: Option<String>,
    pub payload: Option<Arc<str>>,
}

impl Wish {
    pub fn plain(act: Act, reason: Option<String>) -> Self {
        Self { act, reason, payload: None }
    }
}

fn refused(error: ActError, act: &Act) -> Problem {
    let wish = match act {
        Act::Cancel => "cancelled",
        Act::Retry => "retried",
        Act::Reprioritize { .. } => "moved to another priority",
        Act::Reschedule { .. } => "rescheduled",
        Act::RunNow => "run now",
    };
    let parked = matches!((&error, act), (ActError::Illegal(JobState::Waiting), Act::RunNow | Act::Reschedule { .. }));
    let hint = parked.then(|| "it waits for something else than a time; its `waiting_for` says what".to_owned());
    Problem::of_act(error, wish).with_hint(hint)
}

/// How many of the submissions became new jobs, by queue and kind.
fn new_by_class(labels: Vec<(QueueName, KindName)>, accepted: &[Accepted]) -> BTreeMap<(QueueName, KindName), u64> {
    let mut counts = BTreeMap::new();
    for (label, accepted) in labels.into_iter().zip(accepted) {
        if accepted.how == Acceptance::New {
            *counts.entry(label).or_default() += 1;
        }
    }
    counts
}

/// Why jobs were not recorded: which item is at fault is the caller's to say.
pub enum Refused {
    Enqueue(EnqueueError),
    Problem(Problem),
}

/// Runs to the end whatever becomes of the request: between the commit and the hint to the broker nobody may get lost,
/// because an embedded broker learns of the job from nothing else.
async fn sheltered<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, Problem> {
    // What goes on without its request still takes up its room.
    let admission = admission::current();
    let held = async move {
        let done = work.await;
        drop(admission);
        done
    };
    tokio::spawn(held).await.map_err(|error| Problem::internal(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_is_counted_once_with_its_new_jobs() {
        let label = |kind| (QueueName::of("q"), KindName::of(kind));
        let accepted = |how| Accepted { job: JobId::from_bytes([1; 16]), how };
        let labels = vec![label("a.a"), label("b.b"), label("a.a"), label("b.b"), label("c.c")];
        let how = [Acceptance::New, Acceptance::New, Acceptance::New, Acceptance::Replayed, Acceptance::UniqueConflict].map(accepted);
        assert_eq!(new_by_class(labels, &how), BTreeMap::from([(label("a.a"), 2), (label("b.b"), 1)]));
    }
}
