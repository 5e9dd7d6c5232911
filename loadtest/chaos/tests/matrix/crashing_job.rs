//! A job takes its worker with it each time it runs: it is given up, and those beside it pay for what they were part of, no more.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::eventually;

use chaos::fleet::{SOON, Urls};
use chaos::fresh_servers;
use chaos::orders::{job, late_effect, plain};
use chaos::stage::Stage;

const SLOTS: u32 = 4;
/// Runs that end a worker's process: more than a job may have.
const CRASHES: u32 = 9;
/// How far a process gets after its start, on a busy machine.
const CRASHED_WITHIN: Duration = Duration::from_secs(60);
/// The rescuer is quiet for 40 s after its start.
const RESCUED_WITHIN: Duration = Duration::from_secs(75);

/// I3: the third crash kills the job as `worker_lost`, whatever attempts are left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_ends_its_workers_is_given_up() {
    let servers = fresh_servers!();
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let mut worker = stage.fleet.chaos_worker(SLOTS, &[]).await;
    // Its first run lasts until the crash, its second one no time at all.
    let beside = stage.order(&[late_effect("repeat", &stage.judge)]).await;
    stage.running(&beside).await;
    let poison = stage.order(&[job("crash", &json!({ "runs": CRASHES, "ms": 2_000 }))]).await;
    for crash in 1..=3 {
        // An abort: nothing is said, nothing is given back.
        let status = worker.guard.end(CRASHED_WITHIN).await;
        assert!(!status.success() && status.code().is_none(), "{status}: {}", worker.said());
        let rescued = stage.until("it is rescued", &poison, RESCUED_WITHIN, |job| job["crashes"] == crash).await;
        assert_eq!((&rescued[0]["run"], &rescued[0]["attempt"]), (&json!(crash), &json!(crash)), "{:#}", rescued[0]);
        worker = stage.fleet.start("chaos-worker", &[("FLOTILLA_WORKER_SLOTS", SLOTS.to_string())]).await;
    }
    let dead = stage.job(&poison[0]).await;
    assert_eq!((&dead["state"], &dead["error"]["code"]), (&json!("dead"), &json!("worker_lost")), "{dead:#}");
    assert_eq!(stage.steps_by(&poison[0], "duty:rescue").await.len(), 3);
    // The fourth worker lives, and works.
    worker.ready().await;
    let next = stage.order(&vec![plain(0); SLOTS as usize]).await;
    stage.succeeded(&next, SOON).await;
    let beside = stage.succeeded(&beside, SOON).await.remove(0);
    let paid = (&beside["run"], &beside["attempt"], &beside["crashes"]);
    assert_eq!(paid, (&json!(2), &json!(2), &json!(1)), "what ran beside it pays for one crash: {beside:#}");
    assert_eq!(stage.judge.count(), 1);
    announced(&stage, &poison[0]).await;
    stage.stop([worker]).await;
}

/// Its death shows among the dead letters.
async fn announced(stage: &Stage, job: &str) {
    eventually("it is a dead letter", SOON, async || {
        let dead = stage.client.get("/v1/dead_letters", &[]).await.map_err(|error| error.to_string())?.body;
        if dead.to_string().contains(job) { Ok::<(), String>(()) } else { Err(Value::to_string(&dead)) }
    })
    .await;
}
