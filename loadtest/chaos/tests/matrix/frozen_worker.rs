//! A worker is stopped with effects under way, for longer than its lease: others take its jobs over, and when it goes on, nothing it
//! says counts, and it begins no effect.

use std::time::Duration;

use serde_json::Value;
use testkit::eventually;

use chaos::fleet::{SOON, Urls, worker_id};
use chaos::fresh_servers;
use chaos::orders::{effect, late_effect, plain};
use chaos::stage::Stage;

const SLOTS: u32 = 10;
/// How late the judge answers: the worker is stopped meanwhile.
const ANSWER_MS: u64 = 10_000;
/// Ends by itself while the worker is stopped, as far as that worker's clock is concerned.
const PLAIN_MS: u64 = 12_000;
/// The rescuer is quiet for 40 s after its start.
const RESCUED_WITHIN: Duration = Duration::from_secs(75);

/// I3, I6: fenced by its own clock, before it hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_stopped_with_effects_under_way_makes_no_other() {
    let servers = fresh_servers!();
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let mut frozen = stage.fleet.chaos_worker(SLOTS, &[]).await;
    let old = worker_id(&servers.database, &frozen).await;
    let judge = &stage.judge;
    let orders = [
        effect("repeat", judge, ANSWER_MS),
        effect("verify", judge, ANSWER_MS),
        effect("hold", judge, ANSWER_MS),
        late_effect("repeat", judge),
        late_effect("verify", judge),
        late_effect("hold", judge),
        plain(PLAIN_MS),
    ];
    let jobs = stage.order(&orders).await;
    let unknown = jobs[..3].iter().cloned().collect();
    stage.accepted(&unknown, SOON).await;
    assert_eq!(stage.running(&jobs).await, old);
    frozen.guard.pause();

    let other = stage.fleet.chaos_worker(SLOTS, &[]).await;
    let held = stage.until("it waits for a person", &jobs[2..3], RESCUED_WITHIN, |job| job["waiting_for"] == "signal").await;
    assert_eq!(held[0]["error"]["code"], "effect_unknown");
    let others = [&jobs[..2], &jobs[3..]].concat();
    let done = stage.succeeded(&others, SOON).await;
    judge_the_runs(&done);
    let made = times(&mut stage, &jobs);
    assert_eq!(made, [2, 1, 1, 1, 1, 1, 0], "repeated under its key, asked first, held; and the others once");

    frozen.guard.resume();
    let renewed = format!("select id from worker where pid = {} and state = 0 and id <> '{old}'", frozen.pid());
    eventually("it goes on under a new id", SOON, async || {
        if servers.database.ask(&renewed).await.is_empty() { Err(frozen.said()) } else { Ok(()) }
    })
    .await;
    eventually("nothing of before is left in it", SOON, async || {
        let (busy, ends) = (frozen.metric("flotilla_worker_busy_slots").await, frozen.metric("flotilla_worker_settle_backlog").await);
        if (busy, ends) == (0.0, 0.0) { Ok(()) } else { Err(format!("{busy} run, {ends} ends wait\n{}", frozen.said())) }
    })
    .await;
    assert_eq!(frozen.metric("flotilla_worker_fenced_total").await, 1.0);
    assert_eq!(times(&mut stage, &jobs), made, "no new effect");
    for (id, before) in others.iter().zip(&done) {
        assert_eq!(stage.job(id).await, *before, "no settle");
    }
    let recorded = "select sum(succeeded) from job_rate";
    assert_eq!(servers.database.count(recorded).await, others.len() as u64, "what it wanted to record does not count");
    stage.stop([frozen, other]).await;
}

/// Each ran once elsewhere, and a crash is what it cost.
fn judge_the_runs(done: &[Value]) {
    for job in done {
        assert_eq!((job["run"].as_u64(), job["attempt"].as_u64(), job["crashes"].as_u64()), (Some(2), Some(2), Some(1)), "{job:#}");
    }
    let results: Vec<_> = done.iter().map(|job| job["result"].as_str().unwrap_or("-")).collect();
    assert_eq!(results, ["run 2", "verified", "run 2", "run 2", "run 2", "-"], "who made the effect that counts");
}

/// How often the judge was given the effect of each.
fn times(stage: &mut Stage, jobs: &[String]) -> Vec<usize> {
    let made = stage.judge.accepted();
    jobs.iter().map(|id| made.get(id).map_or(0, |made| made.times)).collect()
}
