//! A worker is asked to end under load: it takes nothing more, finishes what it can, and gives the rest back as if it had never been
//! started.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use testkit::eventually;

use chaos::fleet::{SOON, Urls, ids, running_on, worker_id};
use chaos::stage::Stage;
use chaos::fresh_servers;

const SLOTS: u32 = 10;
const QUICK: usize = 7;
const QUICK_MS: u32 = 2_000;
const SLOW: usize = 3;
/// Longer than a drain waits.
const SLOW_MS: u32 = 59_000;
/// A drain lets jobs finish for 25 s.
const DRAINED_WITHIN: Duration = Duration::from_secs(45);

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
