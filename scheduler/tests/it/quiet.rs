//! When may the rescuer act? Two lease times after it (re)gained the store, so that whoever was cut off can come back.

use std::sync::Arc;
use std::time::Duration;

use domain::bounds::LEASE_FOR;
use scheduler::Predecessors;

use crate::running::Running;
use crate::script::Plan;
use crate::stage::Stage;

const QUIET: Duration = Duration::from_secs(2 * LEASE_FOR.as_secs());
const EVERY: Duration = Duration::from_secs(1);

fn start(stage: &Stage, predecessors: Predecessors) -> Running {
    stage.start_with(Arc::new(stage.broker.clone()), predecessors)
}

/// I3: leases of workers that were cut off may look over; they are judged after two lease times.
#[tokio::test(start_paused = true)]
async fn it_waits_two_lease_times_after_its_start() {
    let stage = Stage::new();
    let running = start(&stage, Predecessors::MayLive);
    assert_eq!(stage.upkeep.nth("rescue", 1).await, QUIET);
    assert_eq!(stage.upkeep.nth("rescue", 2).await, QUIET + EVERY);
    assert_eq!(running.items("rescue", "quiet"), QUIET.as_secs() / EVERY.as_secs());
}

#[tokio::test(start_paused = true)]
async fn it_acts_at_once_when_nobody_can_be_left() {
    let stage = Stage::new();
    let _running = start(&stage, Predecessors::Buried);
    assert_eq!(stage.upkeep.nth("rescue", 1).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn it_waits_again_after_the_store_was_away() {
    let stage = Stage::new();
    stage.upkeep.plan("rescue", [Plan::Does(0)]);
    let running = start(&stage, Predecessors::Buried);
    running.ran("rescue", 1).await;
    stage.upkeep.set_away(true);
    assert_eq!(stage.upkeep.nth("rescue", 2).await, EVERY);
    running.ran("rescue", 2).await;
    stage.upkeep.set_away(false);
    stage.upkeep.plan("rescue", [Plan::Does(7)]);
    // Looked again a second later, and the store was back.
    let back = EVERY + Duration::from_secs(1);
    assert_eq!(stage.upkeep.nth("rescue", 3).await, back + QUIET);
    running.ran("rescue", 25).await;
    assert_eq!(running.items("rescue", "retried"), 7);
}

/// One pass that collides with something is no outage: the dead are rescued a second later.
#[tokio::test(start_paused = true)]
async fn a_pass_that_fails_by_itself_costs_a_second() {
    let stage = Stage::new();
    stage.upkeep.plan("rescue", [Plan::Does(0), Plan::Fails, Plan::Does(7)]);
    let running = start(&stage, Predecessors::Buried);
    assert_eq!(stage.upkeep.nth("rescue", 3).await, EVERY + Duration::from_secs(1));
    running.ran("rescue", 3).await;
    assert_eq!(running.items("rescue", "retried"), 7);
}

/// I3: a store that gave no answer for so long was away for the workers, too, although it is there again at once.
#[tokio::test(start_paused = true)]
async fn a_pass_that_fails_late_counts_as_an_outage() {
    let stage = Stage::new();
    stage.upkeep.plan("rescue", [Plan::FailsAfter(LEASE_FOR / 2)]);
    let _running = start(&stage, Predecessors::Buried);
    let back = LEASE_FOR / 2 + Duration::from_secs(1);
    assert_eq!(stage.upkeep.nth("rescue", 2).await, back + QUIET);
}

/// It does not matter whether the rescuer wanted anything of the store meanwhile.
#[tokio::test(start_paused = true)]
async fn an_outage_in_the_quiet_time_starts_it_anew() {
    let stage = Stage::new();
    let _running = start(&stage, Predecessors::MayLive);
    stage.upkeep.nth("promote", 11).await;
    stage.upkeep.set_away(true);
    stage.upkeep.nth("promote", 36).await;
    stage.upkeep.set_away(false);
    let back = *stage.upkeep.times("promote").last().expect("a pass");
    let acted = stage.upkeep.nth("rescue", 1).await;
    assert!(acted >= back + QUIET, "the store came back at {back:?}, the rescuer acted at {acted:?}");
    assert!(acted <= back + QUIET + EVERY, "{acted:?}");
}

/// A store that does not answer is away, although it never said so.
#[tokio::test(start_paused = true)]
async fn a_store_that_hung_counts_as_away() {
    let stage = Stage::new();
    stage.upkeep.plan("rescue", [Plan::Hangs]);
    let running = start(&stage, Predecessors::Buried);
    let back = Duration::from_secs(31);
    assert_eq!(stage.upkeep.nth("rescue", 2).await, back + QUIET);
    assert_eq!(running.passes("rescue", "failed"), 1);
}

/// I9: looking whether the store is back touches nothing, or workers would be declared dead in the quiet time.
#[tokio::test(start_paused = true)]
async fn it_only_looks_while_it_is_quiet() {
    let stage = Stage::new();
    let running = start(&stage, Predecessors::MayLive);
    running.ran("rescue", 10).await;
    running.stop().await;
    assert_eq!(stage.upkeep.asked("rescue"), 0, "not even with a limit of nothing");
}
