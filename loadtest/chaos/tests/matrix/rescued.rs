//! A worker is killed while it runs some jobs and holds hints of others: all of them run elsewhere, and soon.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::eventually;

use chaos::fleet::{SOON, Urls};
use chaos::fresh_servers;
use chaos::measured;
use chaos::orders::plain;
use chaos::stage::Stage;

const ROW: &str = "worker killed";
const SLOTS: u32 = 8;
const CLASS_QUEUE: &str = "flotilla.v1.chaos.p2";
/// Longer than the row.
const LONG_MS: u64 = 300_000;
/// The figure: a lease of 20 s, a look every second, a second of patience.
const ELSEWHERE_WITHIN: Duration = Duration::from_secs(25);
/// A connection that broke is noticed by the broker at once.
const REDELIVERED_WITHIN: Duration = Duration::from_secs(10);

/// I1, I3: before the claim the broker has them, after it the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_worker_held_and_ran_goes_on_elsewhere() {
    let servers = fresh_servers!();
    let stage = Stage::on(&Urls::of(&servers)).await;
    let mut victim = stage.fleet.chaos_worker(SLOTS, &[]).await;
    let ran = stage.order(&vec![plain(LONG_MS); SLOTS as usize]).await;
    let dead = stage.running(&ran).await;
    // It has no slot left for these, and the broker gives it hints of them all the same. More than a few, so that nobody hears of
    // them in another way.
    let held = stage.order(&vec![plain(0); 5]).await;
    eventually("it holds hints that it cannot claim", SOON, async || {
        let queue = servers.vhost.queue(CLASS_QUEUE).await.ok_or("no queue")?;
        if queue.messages_unacknowledged.is_some_and(|held| held > 0) { Ok(()) } else { Err(format!("{queue:?}")) }
    })
    .await;
    let heir = stage.fleet.chaos_worker(2 * SLOTS, &[]).await;
    stage.rescuer_is_near().await;
    let held = queued(&stage, held).await;
    assert!(!held.is_empty(), "nobody else can have a hint while it is held");

    victim.guard.kill();
    let killed = Instant::now();
    for job in stage.succeeded(&held, REDELIVERED_WITHIN).await {
        assert_eq!((&job["run"], &job["crashes"]), (&json!(1), &json!(0)), "nobody had claimed it: {job:#}");
    }
    measured(ROW, "hints that it held, done elsewhere", killed.elapsed());
    let elsewhere = |job: &Value| job["state"] == "running" && job["worker"] != *dead;
    let rescued = stage.until("they run elsewhere", &ran, ELSEWHERE_WITHIN.saturating_sub(killed.elapsed()), elsewhere).await;
    measured(ROW, "jobs that it ran, running elsewhere", killed.elapsed());
    for job in rescued {
        assert_eq!((&job["run"], &job["attempt"], &job["crashes"]), (&json!(2), &json!(2), &json!(1)), "{job:#}");
    }
    for id in &ran {
        assert_eq!(stage.steps_by(id, "duty:rescue").await.len(), 1, "rescued once");
    }
    stage.stop([]).await;
    drop(heir);
}

/// Those of these jobs that nobody has claimed.
async fn queued(stage: &Stage, jobs: Vec<String>) -> Vec<String> {
    let mut queued = Vec::new();
    for id in jobs {
        if stage.job(&id).await["state"] == "queued" {
            queued.push(id);
        }
    }
    queued
}
