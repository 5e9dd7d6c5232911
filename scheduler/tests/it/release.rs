//! Are parked jobs freed when a worker comes that knows their kind?

use std::time::Duration;

use coordination::{Nudge, Nudges};
use domain::{JobState, WaitingFor};
use scheduler::Predecessors;
use store::{Until, Work};

use crate::bench::{Bench, KIND, hinted};
use crate::script::Plan;
use crate::stage::Stage;

#[tokio::test]
async fn jobs_wait_for_a_worker_that_knows_their_kind() {
    let bench = Bench::new().await;
    let hints = bench.listen().await;
    let ids = bench.enqueue(vec![bench.job(), bench.job()]).await;
    let until = Until::Freed { reason: WaitingFor::NoWorker, key: KIND.to_owned() };
    assert_eq!(bench.store.park(&bench.class(), &ids, &until).await.expect("parked"), 2);
    let running = bench.start(Predecessors::Buried);
    running.ran("release", 1).await;
    running.ran("resend", 1).await;
    assert_eq!(bench.get(ids[0]).await.expect("kept").state, JobState::Waiting, "there is no worker yet");

    bench.worker().await;
    bench.nudges.nudge(Nudge::Kinds);
    let mut freed = hinted(&*hints, 10).await;
    freed.sort_unstable();
    assert_eq!(freed, ids);
    running.ran("release", 2).await;
    assert_eq!((running.items("release", "released"), running.items("resend", "sent")), (2, 0), "it hints by itself");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_with_its_kinds_wakes_it_at_once() {
    let stage = Stage::new();
    let _running = stage.start();
    stage.upkeep.nth("release", 1).await;
    tokio::time::advance(Duration::from_millis(300)).await;
    stage.nudges.nudge(Nudge::Kinds);
    assert_eq!(stage.upkeep.nth("release", 2).await, Duration::from_millis(300));
    assert_eq!(stage.upkeep.nth("release", 3).await, Duration::from_millis(2_300), "then its period starts anew");
}

/// I9: a pass is bounded; what it could not do is for the next, which comes at once.
#[tokio::test(start_paused = true)]
async fn a_full_pass_is_followed_by_the_next_at_once() {
    let stage = Stage::new();
    stage.upkeep.plan("release", [Plan::Does(1_000), Plan::Does(1_000), Plan::Does(999)]);
    let running = stage.start();
    assert_eq!(stage.upkeep.nth("release", 3).await, Duration::ZERO);
    assert_eq!(stage.upkeep.nth("release", 4).await, Duration::from_secs(2), "999 were all there was");
    assert_eq!(running.items("release", "released"), 2_999);
}
