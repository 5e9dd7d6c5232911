//! Which nudges wake a duty, and how often?

use std::time::Duration;

use coordination::{Nudge, Nudges};
use domain::JobId;
use tokio_util::sync::CancellationToken;

use crate::script::Plan;
use crate::stage::Stage;

const MS: Duration = Duration::from_millis(1);
/// More than a listener may be behind.
const FLOOD: usize = 2_000;

fn cancel() -> Nudge {
    Nudge::Cancel { job: JobId::from_bytes([1; 16]) }
}

#[tokio::test(start_paused = true)]
async fn nudges_for_others_do_not_wake() {
    let stage = Stage::new();
    let running = stage.start();
    running.ran("retain", 1).await;
    let nudged = stage.later(100 * MS).await;
    for nudge in [cancel(), Nudge::Kinds, Nudge::Emissions, Nudge::Timer { at: stage.at(nudged) }] {
        stage.nudges.nudge(nudge);
    }
    stage.upkeep.nth("rescue", 3).await;
    assert_eq!(stage.upkeep.times("promote")[..2], [Duration::ZERO, nudged], "its own wakes it");
    assert_eq!(stage.upkeep.times("release")[..2], [Duration::ZERO, nudged], "its own wakes it");
    assert_eq!(stage.upkeep.times("promote").len(), 3);
    assert_eq!(stage.upkeep.times("rescue"), [Duration::ZERO, 1_000 * MS, 2_000 * MS]);
    assert_eq!(stage.upkeep.times("retain"), [Duration::ZERO]);
}

/// Nobody knows what was among the nudges that were missed: it looks, though none of those left is its own.
#[tokio::test(start_paused = true)]
async fn who_missed_nudges_looks_at_everything() {
    let stage = Stage::new();
    let done = CancellationToken::new();
    stage.upkeep.plan("retain", [Plan::HangsUntil(done.clone())]);
    let running = stage.start();
    running.ran("rescue", 1).await;
    stage.upkeep.nth("retain", 1).await;
    let nudged = stage.later(100 * MS).await;
    for _ in 0..FLOOD {
        stage.nudges.nudge(cancel());
    }
    done.cancel();
    assert_eq!(stage.upkeep.nth("retain", 2).await, nudged);
}

/// I7: a pass looks at everything, so that a thousand nudges are answered by one.
#[tokio::test(start_paused = true)]
async fn a_storm_of_nudges_is_answered_by_one_pass() {
    let stage = Stage::new();
    let running = stage.start();
    running.ran("release", 1).await;
    let nudged = stage.later(100 * MS).await;
    for _ in 0..FLOOD / 2 {
        stage.nudges.nudge(Nudge::Kinds);
    }
    stage.upkeep.nth("release", 3).await;
    assert_eq!(stage.upkeep.times("release"), [Duration::ZERO, nudged, nudged + 2_000 * MS]);
}

/// A store in trouble is asked once a second, however loud the others are.
#[tokio::test(start_paused = true)]
async fn nudges_do_not_hasten_the_pass_after_a_failure() {
    let stage = Stage::new();
    stage.upkeep.plan("release", [Plan::Fails]);
    stage.upkeep.plan("promote", [Plan::Fails]);
    let running = stage.start();
    running.ran("release", 1).await;
    running.ran("promote", 1).await;
    stage.later(100 * MS).await;
    stage.nudges.nudge(Nudge::Kinds);
    stage.nudges.nudge(Nudge::Timer { at: stage.at(Duration::ZERO) });
    assert_eq!(stage.upkeep.nth("release", 2).await, 1_000 * MS);
    assert_eq!(stage.upkeep.nth("promote", 2).await, 1_000 * MS);
}
