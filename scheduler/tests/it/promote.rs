//! Is a job queued when its time has come, exactly then, and expired when it has passed?

use std::time::Duration;

use coordination::{Nudge, Nudges};
use domain::{JobState, NewJob, TenantId};
use scheduler::Predecessors;
use store::{Reports, Store};

use crate::bench::{Bench, hinted};
use crate::script::Plan;
use crate::stage::Stage;

const MS: Duration = Duration::from_millis(1);

#[tokio::test]
async fn a_job_is_hinted_at_its_time_and_never_before() {
    let bench = Bench::new().await;
    let hints = bench.listen().await;
    let due = bench.store.now() + 300 * MS;
    let ids = bench.enqueue(vec![NewJob { run_at: Some(due), ..bench.job() }]).await;
    let running = bench.start(Predecessors::Buried);

    assert_eq!(hinted(&*hints, 10).await, ids);
    let seen = bench.store.now();
    assert!(seen >= due, "hinted at {seen}, due at {due}");
    let queued = bench.store.timeline(&TenantId::of("default"), ids[0]).await.expect("read");
    let queued = queued.iter().find(|entry| entry.to == JobState::Queued).expect("it was queued").at;
    // The next pass by the period alone would be 700 ms late.
    assert!(queued >= due && seen.since(due) < 250 * MS, "due {due}, queued {queued}, seen {seen}");
    assert_eq!((running.did("promote", "promoted"), running.items("promote", "promoted")), (1, 1));
    running.stop().await;
}

/// A timer that the last pass could not know of: only the nudge tells.
#[tokio::test]
async fn a_timer_set_meanwhile_is_kept() {
    let bench = Bench::new().await;
    let hints = bench.listen().await;
    let far = bench.store.now() + Duration::from_secs(3_600);
    bench.enqueue(vec![NewJob { run_at: Some(far), ..bench.job() }]).await;
    let running = bench.start(Predecessors::Buried);
    running.ran("promote", 1).await;

    let due = bench.store.now() + 200 * MS;
    let ids = bench.enqueue(vec![NewJob { run_at: Some(due), ..bench.job() }]).await;
    assert_eq!(hinted(&*hints, 10).await, ids);
    assert!(bench.store.now() >= due);
    running.stop().await;
}

#[tokio::test]
async fn a_job_nobody_started_expires() {
    let bench = Bench::new().await;
    let late = bench.store.now() + 100 * MS;
    let expiring = NewJob { start_before: Some(late), ..bench.job() };
    let ids = bench.enqueue(vec![expiring, bench.job()]).await;
    let running = bench.start(Predecessors::Buried);

    let job = bench.reaches(ids[0], JobState::Expired).await;
    assert!(job.finished_at.expect("it ended") >= late);
    assert_eq!(bench.get(ids[1]).await.expect("kept").state, JobState::Queued, "the other one does not expire");
    running.stop().await;
}

/// To the millisecond: the pass comes at the timer the last one named, and its period is over later.
#[tokio::test(start_paused = true)]
async fn the_next_pass_is_at_the_next_timer() {
    let stage = Stage::new();
    stage.upkeep.plan("promote", [Plan::Promotes(vec![], Some(stage.at(300 * MS)))]);
    let _running = stage.start();
    assert_eq!(stage.upkeep.nth("promote", 2).await, 300 * MS);
    assert_eq!(stage.upkeep.nth("promote", 3).await, 1_300 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_timer_of_long_ago_or_far_ahead_does_not_move_the_period() {
    let stage = Stage::new();
    let day = Duration::from_secs(86_400);
    stage.upkeep.plan("promote", [Plan::Promotes(vec![], Some(stage.at(400 * day)))]);
    // Due already: there was more than a pass could do.
    stage.upkeep.plan("promote", [Plan::Promotes(vec![stage.emission(1)], Some(stage.at(Duration::ZERO)))]);
    let _running = stage.start();
    stage.upkeep.nth("promote", 4).await;
    assert_eq!(stage.upkeep.times("promote"), [0, 1_000, 1_000, 2_000].map(|at| at * MS));
}

/// Another scheduler has it in hand: looking without a pause would only keep the store from it.
#[tokio::test(start_paused = true)]
async fn what_is_due_and_left_undone_is_looked_at_again_after_a_breath() {
    let stage = Stage::new();
    stage.upkeep.plan("promote", std::iter::repeat_n(Plan::Promotes(vec![], Some(stage.at(Duration::ZERO))), 3));
    let _running = stage.start();
    stage.upkeep.nth("promote", 5).await;
    assert_eq!(stage.upkeep.times("promote"), [0, 50, 100, 150, 1_150].map(|at| at * MS));
}

#[tokio::test(start_paused = true)]
async fn an_earlier_timer_wakes_it_at_that_time_and_a_later_one_does_not() {
    let stage = Stage::new();
    let _running = stage.start();
    stage.upkeep.nth("promote", 1).await;
    tokio::time::advance(100 * MS).await;
    for at in [700, 350, 5_000] {
        stage.nudges.nudge(Nudge::Timer { at: stage.at(at * MS) });
    }
    assert_eq!(stage.upkeep.nth("promote", 2).await, 350 * MS);
}
