//! Is what has ended deleted when its time is over, and nothing else?

use std::time::Duration;

use domain::{Failure, JobId, NewJob, TenantId};
use scheduler::{Parts, Predecessors};
use store::{Actor, End, Intake, Retention, Store};

use crate::bench::Bench;
use crate::running::Running;
use crate::script::Plan;
use crate::stage::Stage;

const HOUR: Duration = Duration::from_secs(3_600);
const KEPT: Retention = Retention { succeeded: HOUR, dead: HOUR.saturating_mul(3), stopped: HOUR.saturating_mul(2) };

/// The first pass of a start; the next one would be a minute later.
async fn pass(bench: &Bench) -> (usize, usize) {
    let running = Running::start(Parts { retention: KEPT, ..bench.parts() }, Predecessors::MayLive);
    running.ran("retain", 1).await;
    let did = (running.did("retain", "jobs"), running.did("retain", "workers"));
    running.stop().await;
    did
}

async fn exist(bench: &Bench, ids: &[JobId]) -> Vec<bool> {
    let mut exist = Vec::new();
    for id in ids {
        exist.push(bench.get(*id).await.is_some());
    }
    exist
}

/// Three that have ended: succeeded, dead, cancelled.
async fn ended(bench: &Bench) -> Vec<JobId> {
    let ids = bench.enqueue((0..3).map(|_| bench.job()).collect()).await;
    let worker = bench.worker().await;
    let claimed = bench.claim(worker, &ids[..2]).await;
    bench.settle(worker, &claimed[..1], &End::Succeeded { result: None }).await;
    bench.settle(worker, &claimed[1..], &End::Dead { failure: Failure::permanent("gone", "it is gone") }).await;
    let operator = Actor { tenant: TenantId::of("default"), name: "ops".to_owned(), request_id: "req-1".to_owned() };
    bench.store.cancel(&operator, ids[2], None).await.expect("cancelled");
    ids
}

/// Three that live: waiting for a far time, queued, running.
async fn live(bench: &Bench) -> Vec<JobId> {
    let far = bench.store.now() + 300 * 24 * HOUR;
    let ids = bench.enqueue(vec![NewJob { run_at: Some(far), ..bench.job() }, bench.job(), bench.job()]).await;
    let worker = bench.worker().await;
    assert_eq!(bench.claim(worker, &ids[2..]).await.len(), 1);
    ids
}

/// I9: repeated passes delete what is over by then, each state at its own time, and never a live job.
#[tokio::test]
async fn each_state_is_kept_for_its_own_time() {
    let bench = Bench::new().await;
    let (ended, live) = (ended(&bench).await, live(&bench).await);
    assert_eq!(pass(&bench).await, (0, 0), "nothing is over yet");
    let minute = Duration::from_secs(60);
    for (after, kept) in [(HOUR + minute, [false, true, true]), (HOUR, [false, true, false]), (HOUR, [false; 3])] {
        bench.store.shift_clock(after);
        assert_eq!(pass(&bench).await.0, 1);
        assert_eq!(exist(&bench, &ended).await, kept);
        assert_eq!(pass(&bench).await.0, 0, "a second pass finds nothing");
    }
    bench.store.shift_clock(100 * 24 * HOUR);
    // Of the two workers, dead for long, one still has a job to its name.
    assert_eq!(pass(&bench).await, (0, 1));
    assert_eq!(exist(&bench, &live).await, [true; 3]);
}

/// I7: a pass is bounded, and a full one is followed by the next at once.
#[tokio::test(start_paused = true)]
async fn it_goes_on_until_there_is_no_more() {
    let stage = Stage::new();
    stage.upkeep.plan("retain", [Plan::Does(1_000), Plan::Does(1_000), Plan::Does(3)]);
    let running = stage.start();
    stage.upkeep.nth("retain", 4).await;
    assert_eq!(stage.upkeep.times("retain"), [0, 0, 0, 60].map(Duration::from_secs));
    running.ran("retain", 4).await;
    assert_eq!(running.items("retain", "jobs"), 2_003);
}
