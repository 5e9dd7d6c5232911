//! A worker is cut off from one server and keeps the others: what runs is not disturbed, and what cannot be done waits.

use std::time::Duration;

use testkit::{FaultProxy, Mode, eventually, servers};

use chaos::fleet::{SOON, Urls, running_on, worker_id};
use chaos::stage::Stage;
use chaos::fresh_servers;

const SLOTS: u32 = 10;
const JOBS: usize = 10;
/// How late the receiver answers: long enough to cut the worker off meanwhile, much less than a lease.
const LATE_MS: u32 = 3_000;

/// I2, I3: it computes on, keeps what has ended, and claims nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_database_a_worker_finishes_what_it_runs_and_claims_nothing() {
    let servers = fresh_servers!();
    let proxy = FaultProxy::start(servers::postgres().expect("asked before").port()).await;
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let own = servers::through(&servers.database.url(), proxy.port());
    let worker =
        stage.fleet.start("webhooks-worker", &[("FLOTILLA_DATABASE_URL", own), ("FLOTILLA_WORKER_SLOTS", SLOTS.to_string())]).await;
    worker.ready().await;
    let id = worker_id(&servers.database, &worker).await;
    let running = stage.submit(JOBS, LATE_MS).await;
    stage.accepted(&running, SOON).await;
    assert_eq!(running_on(&servers.database, &id).await, running);

    proxy.set(Mode::Cut);
    stage.submit(JOBS, 0).await;
    eventually("what ended waits to be recorded", SOON, async || {
        let waiting = worker.metric("flotilla_worker_settle_backlog").await;
        if waiting >= 1.0 { Ok(()) } else { Err(format!("{waiting} wait\n{}", worker.said())) }
    })
    .await;
    eventually("the worker is not ready", SOON, async || matches!(worker.get("/health/ready").await, Some((503, _)))).await;
    assert_eq!(running_on(&servers.database, &id).await, running, "nothing could be recorded");
    let queued = servers.database.count("select count(*) from job where state = 1 and run = 0").await;
    assert_eq!(queued, JOBS as u64, "nothing is claimed by who cannot reach the store");
    assert_eq!(stage.judge.count(), JOBS);

    proxy.set(Mode::Pass);
    stage.done_once(&servers.database, 2 * JOBS, SOON * 2).await;
    assert_eq!(worker_id(&servers.database, &worker).await, id, "its lease lasted");
    assert_eq!(worker.metric("flotilla_worker_fenced_total").await, 0.0);
    stage.stop([worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_broker_a_worker_finishes_what_it_runs_and_subscribes_again() {
    let servers = fresh_servers!();
    let proxy = FaultProxy::start(servers::rabbitmq().expect("asked before").port()).await;
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let own = servers::through(&servers.vhost.url(), proxy.port());
    let worker = stage.fleet.start("webhooks-worker", &[("FLOTILLA_BROKER_URL", own), ("FLOTILLA_WORKER_SLOTS", SLOTS.to_string())]).await;
    worker.ready().await;
    let running = stage.submit(JOBS, LATE_MS).await;
    stage.accepted(&running, SOON).await;

    proxy.set(Mode::Cut);
    stage.submit(JOBS, 0).await;
    let succeeded = "select count(*) from job where state = 3";
    eventually("what ran has ended", SOON, async || servers.database.count(succeeded).await == JOBS as u64).await;
    let queued = servers.database.count("select count(*) from job where state = 1 and run = 0").await;
    assert_eq!(queued, JOBS as u64, "no hint gets through");
    let health = worker.get("/health/ready").await;
    assert!(matches!(&health, Some((200, body)) if body.contains("unavailable")), "{health:?}\n{}", worker.said());

    proxy.set(Mode::Pass);
    stage.done_once(&servers.database, 2 * JOBS, SOON).await;
    stage.stop([worker]).await;
}

/// The lease ends while the worker is stopped: others take its jobs over, and whatever it still wants to say is not heard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_stopped_past_its_lease_is_fenced() {
    const RESCUED_WITHIN: Duration = Duration::from_secs(60);
    let servers = fresh_servers!();
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let mut frozen = stage.fleet.worker(SLOTS).await;
    let id = worker_id(&servers.database, &frozen).await;
    let jobs = stage.submit(JOBS, LATE_MS).await;
    stage.accepted(&jobs, SOON).await;
    frozen.guard.signal("STOP");
    assert_eq!(running_on(&servers.database, &id).await, jobs, "all of them run on the worker that was stopped");

    let other = stage.fleet.worker(SLOTS).await;
    eventually("all are done by another worker", RESCUED_WITHIN, async || {
        let states = servers.database.ask("select state, run, crashes, count(*) from job group by 1, 2, 3").await;
        if states == [["3", "2", "1", &JOBS.to_string()]] { Ok(()) } else { Err(format!("{states:?}\n{}", stage.scheduler.said())) }
    })
    .await;
    let result = "select count(*) from job where run_by = (select id from worker where state = 0)";
    assert_eq!(servers.database.count(result).await, JOBS as u64, "the run that counts is the other worker's");

    frozen.guard.signal("CONT");
    let renewed = format!("select id from worker where pid = {} and state = 0 and id <> '{id}'", frozen.pid());
    eventually("it goes on under a new id", SOON, async || {
        if servers.database.ask(&renewed).await.is_empty() { Err(frozen.said()) } else { Ok(()) }
    })
    .await;
    assert_eq!(frozen.metric("flotilla_worker_fenced_total").await, 1.0);
    eventually("what it wanted to record is given up", SOON, async || frozen.metric("flotilla_worker_settle_backlog").await == 0.0).await;
    let recorded = "select sum(succeeded + retried + dead) from job_rate where writer <> '00000000-0000-0000-0000-000000000000'";
    assert_eq!(servers.database.count(recorded).await, JOBS as u64, "what the fenced worker wanted to record does not count");
    assert!(stage.judge.accepted().values().all(|accepted| accepted.times == 2), "once by each, under the same id");

    other.stop().await;
    let more = stage.submit(JOBS, 0).await;
    stage.accepted(&more, SOON).await;
    chaos::stage::done(&servers.database, 2 * JOBS, SOON).await;
    stage.stop([frozen]).await;
}
