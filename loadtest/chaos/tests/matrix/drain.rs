//! A worker is asked to end under load: it takes nothing more, finishes what it can, and gives the rest back as if it had never been
//! started.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::servers::Database;
use testkit::{FaultProxy, Mode, eventually, servers};

use chaos::fleet::{SOON, Urls, ids, running_on, worker_id};
use chaos::fresh_servers;
use chaos::measured;
use chaos::orders::plain;
use chaos::process::Process;
use chaos::stage::Stage;

const SLOTS: u32 = 10;
const QUICK: usize = 7;
const QUICK_MS: u32 = 2_000;
const SLOW: usize = 3;
/// Longer than a drain waits.
const SLOW_MS: u32 = 59_000;
/// A drain lets jobs finish for 25 s.
const DRAINED_WITHIN: Duration = Duration::from_secs(45);
/// The rescuer is quiet for 40 s after its start.
const RESCUED_WITHIN: Duration = Duration::from_secs(75);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_asked_to_end_leaves_nothing_behind() {
    let servers = fresh_servers!();
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let mut worker = stage.fleet.worker(SLOTS).await;
    let id = worker_id(&servers.database, &worker).await;
    let job = json!({ "kind": "webhooks.deliver", "timeout": "2m", "payload": { "url": stage.judge.late(SLOW_MS), "data": 1 } });
    let slow = stage.client.post("/v1/jobs/batch", &json!({ "jobs": vec![job; SLOW] })).await.expect("accepted").body;
    let slow: BTreeSet<String> = ids(&slow).into_iter().collect();
    let quick = stage.submit(QUICK, QUICK_MS).await;
    stage.accepted(&slow, SOON).await;
    stage.accepted(&quick, SOON).await;
    assert_eq!(running_on(&servers.database, &id).await.len(), QUICK + SLOW);

    worker.guard.terminate();
    eventually("the worker is not ready any more", SOON, async || matches!(worker.get("/health/ready").await, Some((503, _)))).await;
    let later = stage.submit(20, 0).await;
    let status = worker.guard.end(DRAINED_WITHIN).await;
    assert_eq!(status.code(), Some(0), "{}", worker.said());
    assert!(worker.log_text().contains(&format!("drained: {QUICK} finished, {SLOW} handed back")), "{}", worker.said());
    let states = servers.database.ask("select state, run, attempt, crashes, count(*) from job group by 1, 2, 3, 4 order by 1, 2").await;
    let (quick, slow, later) = (quick.len().to_string(), slow.len().to_string(), later.len().to_string());
    let expected = [["1", "0", "0", "0", &later], ["1", "1", "0", "0", &slow], ["3", "1", "1", "0", &quick]];
    assert_eq!(states, expected, "state, run, attempt, crashes, jobs");
    eventually("no claim is left", SOON, async || servers.database.count("select count(*) from claim").await == 0).await;

    // What was handed back is queued, and so it runs again.
    let heir = stage.fleet.worker(SLOTS).await;
    let again = "select count(*) from job where (state = 2 and run = 2) or (state = 3 and run = 1 and attempt = 1)";
    eventually("an heir has taken it over", SOON, async || {
        let found = servers.database.count(again).await;
        if found as usize == QUICK + SLOW + 20 { Ok(()) } else { Err(format!("{found}\n{}", heir.said())) }
    })
    .await;
}

/// The database comes back while the worker drains, and everything is recorded; or it does not, and the worker ends all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_ends_in_time_although_the_database_is_away() {
    let servers = fresh_servers!();
    let proxy = FaultProxy::start(servers::postgres().expect("asked before").port()).await;
    let stage = Stage::on(&Urls::of(&servers)).await;
    let (mut patient, finished) = cut_off(&stage, &servers.database, &proxy).await;
    patient.guard.terminate();
    eventually("it is draining", SOON, async || matches!(patient.get("/health/ready").await, Some((503, _)))).await;
    proxy.set(Mode::Pass);
    assert_eq!(patient.guard.end(DRAINED_WITHIN).await.code(), Some(0), "{}", patient.said());
    for job in stage.succeeded(&finished, SOON).await {
        assert_eq!((&job["run"], &job["crashes"]), (&json!(1), &json!(0)), "{job:#}");
    }

    let (mut lonely, unheard) = cut_off(&stage, &servers.database, &proxy).await;
    lonely.guard.terminate();
    let asked = Instant::now();
    assert_eq!(lonely.guard.end(DRAINED_WITHIN).await.code(), Some(1), "not everything is recorded: {}", lonely.said());
    measured("drain", "without the database, ended", asked.elapsed());
    assert!(lonely.log_text().contains("the rescuer finds the rest"), "{}", lonely.said());
    stage.running(&unheard).await;
    let heir = stage.fleet.chaos_worker(SLOTS, &[]).await;
    stage.until("an heir has taken over what was not recorded", &unheard, RESCUED_WITHIN, ran_twice).await;
    stage.stop([heir]).await;
}

/// A worker that runs three jobs; they end a moment after its link to the database is cut.
async fn cut_off(stage: &Stage, database: &Database, proxy: &FaultProxy) -> (Process, Vec<String>) {
    proxy.set(Mode::Pass);
    let own = servers::through(&database.url(), proxy.port());
    let worker = stage.fleet.chaos_worker(3, &[("FLOTILLA_DATABASE_URL", own)]).await;
    let jobs = stage.order(&vec![plain(QUICK_MS.into()); 3]).await;
    stage.running(&jobs).await;
    proxy.set(Mode::Cut);
    (worker, jobs)
}

fn ran_twice(job: &Value) -> bool {
    job["run"] == 2 && job["crashes"] == 1
}

/// Who asks twice does not want to wait: what ran is rescued like that of any dead worker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_a_worker_at_once() {
    let servers = fresh_servers!();
    let stage = Stage::on(&Urls::of(&servers)).await;
    let mut hasty = stage.fleet.chaos_worker(SLOTS, &[]).await;
    let jobs = stage.order(&vec![plain(SLOW_MS.into()); 3]).await;
    stage.running(&jobs).await;
    hasty.guard.terminate();
    eventually("it is draining", SOON, async || matches!(hasty.get("/health/ready").await, Some((503, _)))).await;
    hasty.guard.signal("INT");
    let asked = Instant::now();
    assert_eq!(hasty.guard.end(SOON).await.code(), Some(130), "{}", hasty.said());
    measured("drain", "asked a second time, ended", asked.elapsed());
    let heir = stage.fleet.chaos_worker(SLOTS, &[]).await;
    stage.until("an heir has taken over", &jobs, RESCUED_WITHIN, ran_twice).await;
    drop(heir);
    stage.stop([]).await;
}
