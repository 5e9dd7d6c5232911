//! A cancel meets a worker that cannot hear it, one that has just ended the job, and one that dies: the job is cancelled unless it has
//! succeeded, and never runs again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{FaultProxy, Mode, eventually, servers};

use chaos::fleet::{SOON, Urls};
use chaos::fresh_servers;
use chaos::measured;
use chaos::orders::{job, plain};
use chaos::stage::Stage;

const SLOTS: u32 = 40;
const LONG_MS: u64 = 300_000;
/// Ends while the worker is cut off, well within its lease.
const QUICK_MS: u64 = 2_000;
/// The rescuer is quiet for 40 s after its start.
const RESCUED_WITHIN: Duration = Duration::from_secs(75);

/// I2, I3: whatever the worker wants to record when it is back, other than success, becomes `cancelled`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_wins_over_everything_but_success() {
    let servers = fresh_servers!();
    let proxy = FaultProxy::start(servers::postgres().expect("asked before").port()).await;
    let stage = Stage::on(&Urls::of(&servers)).await;
    let own = servers::through(&servers.database.url(), proxy.port());
    let mut worker = stage.fleet.chaos_worker(SLOTS, &[("FLOTILLA_DATABASE_URL", own)]).await;
    let mut times_out = job("plain", &json!({ "ms": LONG_MS }));
    times_out["timeout"] = json!("2s");
    let fails = job("fail", &json!({ "attempts": 9, "ms": QUICK_MS }));
    let jobs = stage.order(&[plain(LONG_MS), fails, times_out, plain(QUICK_MS), plain(LONG_MS)]).await;
    stage.running(&jobs).await;
    proxy.set(Mode::Cut);
    for id in &jobs[..4] {
        let asked = cancel(&stage, id).await;
        assert_eq!((&asked["state"], &asked["cancel_requested"]), (&json!("running"), &json!(true)), "it goes on: {asked:#}");
    }
    eventually("what has ended waits to be recorded", SOON, async || worker.metric("flotilla_worker_busy_slots").await <= 2.0).await;

    proxy.set(Mode::Pass);
    let back = Instant::now();
    let cancelled = stage.until("they are cancelled", &jobs[..3], SOON, |job| job["state"] == "cancelled").await;
    measured("cancel", "of a running job, after its worker has the database back", back.elapsed());
    for job in &cancelled {
        assert_eq!((&job["run"], &job["crashes"]), (&json!(1), &json!(0)), "by its worker, within its lease: {job:#}");
        let id = job["id"].as_str().expect("an id");
        assert!(stage.steps_by(id, "worker:").await.iter().any(|step| step["to"] == "cancelled"), "{job:#}");
    }
    stage.succeeded(&jobs[3..4], SOON).await;

    // The last one: its worker dies with the cancel unheard.
    proxy.set(Mode::Cut);
    cancel(&stage, &jobs[4]).await;
    worker.guard.kill();
    let heir = stage.fleet.chaos_worker(SLOTS, &[]).await;
    let rescued = stage.until("it is cancelled", &jobs[4..], RESCUED_WITHIN, |job| job["state"] == "cancelled").await;
    assert_eq!((&rescued[0]["run"], &rescued[0]["crashes"]), (&json!(1), &json!(1)), "by the rescuer: {:#}", rescued[0]);
    replayed(&stage, &jobs[1]).await;
    stage.stop([heir]).await;
}

/// The request ends with the replay, or no other attempt could ever fail in peace.
async fn replayed(stage: &Stage, id: &str) {
    let again = stage.client.post(&format!("/v1/jobs/{id}/retry"), &json!({})).await.expect("replayed").body;
    assert_eq!(again["cancel_requested"], false, "{again:#}");
    stage.until("it fails and is tried again", &[id.to_owned()], SOON, |job| job["attempt"].as_u64() >= Some(2)).await;
    cancel(stage, id).await;
    stage.until("it is cancelled again", &[id.to_owned()], SOON, |job| job["state"] == "cancelled").await;
}

/// I1: whichever is first is the only end there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_races_the_end_of_the_job() {
    const ROUNDS: u64 = 4;
    let servers = fresh_servers!();
    let stage = Stage::on(&Urls::of(&servers)).await;
    let worker = stage.fleet.chaos_worker(SLOTS, &[]).await;
    let mut ended: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..ROUNDS {
        // From those that have ended before anybody could ask to those that wait for it.
        let orders: Vec<Value> = (0..u64::from(SLOTS)).map(|place| plain(place * 5 * (round + 1))).collect();
        let jobs = stage.order(&orders).await;
        for id in &jobs {
            // 409: it had ended.
            let _refused = stage.client.post(&format!("/v1/jobs/{id}/cancel"), &json!({})).await;
        }
        for job in stage.until("they have ended", &jobs, SOON, |job| !job["finished_at"].is_null()).await {
            *ended.entry(job["state"].as_str().expect("a state").to_owned()).or_default() += 1;
            let (id, run) = (job["id"].as_str().expect("an id"), job["run"].as_u64());
            assert!(run <= Some(1), "it ran once at most: {job:#}");
            let story = stage.steps_by(id, "").await;
            let ends = story.iter().filter(|step| step["to"] == "succeeded" || step["to"] == "cancelled").count();
            assert_eq!(ends, 1, "{id}: {story:?}");
        }
    }
    assert!(ended.keys().eq(["cancelled", "succeeded"]), "both happen, and nothing else: {ended:?}");
    let counted = servers.database.count("select sum(succeeded) from job_rate").await;
    assert_eq!(counted, ended["succeeded"] as u64, "each once");
    stage.stop([worker]).await;
}

async fn cancel(stage: &Stage, id: &str) -> Value {
    stage.client.post(&format!("/v1/jobs/{id}/cancel"), &json!({})).await.expect("answered").body
}
