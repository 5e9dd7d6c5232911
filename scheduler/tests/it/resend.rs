//! Does the broker hear of every queued job, whatever it refused, lost or never got?

use std::collections::BTreeSet;
use std::time::Duration;

use broker::{Broker, EmbeddedBroker, Publisher, Subscription};
use coordination::{Nudge, Nudges};
use domain::{JobId, JobState};
use scheduler::Predecessors;
use store::{End, Reports};
use tokio::time::Instant;

use crate::bench::{Bench, hinted};
use crate::running::LONG;
use crate::script::Plan;
use crate::stage::Stage;

/// I1, I16: what was committed is the list; hints that never left are made again from it.
#[tokio::test]
async fn jobs_whose_hints_were_lost_are_found() {
    let bench = Bench::new().await;
    let ids = bench.enqueue((0..100).map(|_| bench.job()).collect()).await;
    let hints = bench.listen().await;
    let running = bench.start(Predecessors::Buried);
    let mut found = BTreeSet::new();
    while found.len() < ids.len() {
        found.extend(hinted(&*hints, 1_000).await);
    }
    assert_eq!(found, ids.into_iter().collect());
    running.ran("resend", 1).await;
    assert_eq!(running.items("resend", "sent"), 100, "once");
    running.stop().await;
}

/// I1, I7: a broker that holds 64 ids serves 5 000 jobs: none is lost, each runs once, and then it is quiet.
#[tokio::test]
async fn a_small_broker_drains_a_large_backlog() {
    let bench = Bench::with_broker(EmbeddedBroker::with_capacity(64)).await;
    let ids = bench.enqueue((0..5_000).map(|_| bench.job()).collect()).await;
    let hints = bench.listen().await;
    let running = bench.start(Predecessors::MayLive);
    let mut taken: Vec<JobId> = Vec::new();
    while taken.len() < ids.len() {
        let hinted = hinted(&*hints, 64).await;
        assert!(bench.broker.depth(&bench.class()) <= 64);
        // Each time with a fresh lease: a slow machine must not fence anybody.
        let worker = bench.worker().await;
        let claimed = bench.claim(worker, &hinted).await;
        bench.settle(worker, &claimed, &End::Succeeded { result: None }).await;
        taken.extend(claimed.iter().map(|claimed| claimed.id));
        // So that the test does not wait for the period of each refill.
        bench.nudges.nudge(Nudge::Emissions);
    }
    taken.sort_unstable();
    assert_eq!(taken, ids);
    assert_eq!(bench.store.depths().await.expect("read"), []);
    testkit::eventually("nothing lacks any more", LONG, async || bench.broker.lacks().await.expect("answered").is_empty()).await;
    let passes = running.status("resend").runs;
    running.ran("resend", passes + 2).await;
    assert_eq!(running.did("resend", "sent"), 0);
    running.stop().await;
}

/// The same at the duty's own pace, without a nudge from anybody.
#[tokio::test]
async fn its_period_is_enough() {
    let bench = Bench::with_broker(EmbeddedBroker::with_capacity(64)).await;
    let ids = bench.enqueue((0..130).map(|_| bench.job()).collect()).await;
    let hints = bench.listen().await;
    let running = bench.start(Predecessors::Buried);
    let worker = bench.worker().await;
    let mut taken = Vec::new();
    while taken.len() < ids.len() {
        taken.extend(bench.claim(worker, &hinted(&*hints, 64).await).await.iter().map(|claimed| claimed.id));
    }
    taken.sort_unstable();
    assert_eq!(taken, ids);
    assert_eq!(bench.get(ids[0]).await.expect("kept").state, JobState::Running);
    running.stop().await;
}

/// I1: lost when nothing lacked and nobody was told. The broker doubts its empty classes every 15 s.
#[tokio::test(start_paused = true)]
async fn a_hint_lost_in_the_calm_is_found_without_any_event() {
    let stage = Stage::new();
    stage.broker.declare(&[stage.class().queue]).await.expect("declared");
    let hints = stage.broker.subscribe(Subscription::All, 10).await.expect("subscribed");
    let running = stage.start();
    running.ran("resend", 2).await;
    let (lost, at) = (stage.emission(3), Instant::now());
    stage.upkeep.queued.lock().push(lost.clone());
    assert_eq!(hinted(&*hints, 10).await, lost.jobs);
    assert!(at.elapsed() <= Duration::from_secs(16), "after {:?}", at.elapsed());
    // Claimed: it is not queued any more.
    stage.upkeep.queued.lock().clear();
    assert_eq!(running.items("resend", "sent"), 3);
}

/// What a duty queued and a full broker refused is asked for again as soon as there is room.
#[tokio::test(start_paused = true)]
async fn a_refusal_wakes_it_and_is_made_up_for() {
    let stage = Stage::with_broker(EmbeddedBroker::with_capacity(64));
    stage.broker.declare(&[stage.class().queue]).await.expect("declared");
    let hints = stage.broker.subscribe(Subscription::All, 10).await.expect("subscribed");
    let emissions: Vec<_> = (0..3).map(|_| stage.emission(32)).collect();
    let all: Vec<JobId> = emissions.iter().flat_map(|emission| emission.jobs.clone()).collect();
    let running = stage.start();
    running.ran("resend", 1).await;
    let now = stage.later(Duration::from_millis(100)).await;
    stage.upkeep.plan("promote", [Plan::Promotes(emissions.clone(), None)]);
    stage.nudges.nudge(Nudge::Timer { at: stage.at(now) });

    assert_eq!(hinted(&*hints, 100).await, all[..64]);
    stage.upkeep.queued.lock().push(emissions[2].clone());
    assert_eq!(hinted(&*hints, 100).await, all[64..]);
    stage.upkeep.queued.lock().clear();
    running.ran("resend", 5).await;
    assert_eq!(running.items("resend", "sent"), 32);
    // The refusal woke it, too early; its period then found room. Once it lacked nothing it was not asked any more.
    let asked: Vec<Duration> = stage.upkeep.times("emissions_due").into_iter().filter(|at| *at >= now).collect();
    assert_eq!(asked, [now + Duration::from_millis(500)]);
}
