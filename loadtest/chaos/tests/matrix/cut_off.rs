//! A worker is cut off from one server and keeps the others: what runs is not disturbed, and what cannot be done waits.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{FaultProxy, Mode, eventually, servers};

use chaos::fleet::{SOON, Urls, running_on, worker_id};
use chaos::fresh_servers;
use chaos::measured;
use chaos::orders::{job, late_effect, plain};
use chaos::process::Process;
use chaos::stage::Stage;

const SLOTS: u32 = 10;
const JOBS: usize = 10;
/// How late the receiver answers: long enough to cut the worker off meanwhile, much less than a lease.
const LATE_MS: u32 = 3_000;
/// From the last renewal that got through.
const LEASE_FOR: Duration = Duration::from_secs(20);
/// A handler has 5 s to heed being asked to stop.
const ABORTED_WITHIN: Duration = Duration::from_secs(10);
/// The rescuer is quiet for 40 s after its start.
const RESCUED_WITHIN: Duration = Duration::from_secs(75);

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
    // Just thawed, it need not answer at once.
    eventually("it counts one fence", SOON, async || frozen.metric("flotilla_worker_fenced_total").await == 1.0).await;
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

/// What a worker of the laboratory runs when it is cut off from the database for longer than its lease.
struct Past {
    /// They end at once; nobody can be told.
    done: Vec<String>,
    /// They would go on; one of them does not even heed being asked to stop.
    long: Vec<String>,
    /// It begins its effect when it is asked to stop.
    late: Vec<String>,
}

impl Past {
    /// Returns when all of them run on `worker`, whose link is cut, and those that ended wait to be recorded.
    async fn begun(stage: &Stage, worker: &Process, proxy: &FaultProxy) -> Self {
        const QUICK_MS: u64 = 3_000;
        const LONG_MS: u64 = 300_000;
        let late = stage.order(&[late_effect("hold", &stage.judge)]).await;
        let long = stage.order(&[plain(LONG_MS), job("deaf", &json!({ "ms": LONG_MS }))]).await;
        let done = stage.order(&[plain(QUICK_MS), plain(QUICK_MS)]).await;
        stage.running(&[&done[..], &long, &late].concat()).await;
        proxy.set(Mode::Cut);
        eventually("what ended waits to be recorded", SOON, async || worker.metric("flotilla_worker_settle_backlog").await >= 1.0).await;
        Self { done, long, late }
    }

    /// Waits for the end of the lease, and until nothing runs any more. The judge was not asked for anything.
    async fn over(&self, stage: &mut Stage, worker: &Process) {
        let cut = Instant::now();
        eventually("the lease is over", SOON, async || worker.metric("flotilla_worker_fenced_total").await == 1.0).await;
        assert!(cut.elapsed() <= LEASE_FOR, "{:?}", cut.elapsed());
        eventually("the handlers have stopped", ABORTED_WITHIN, async || worker.metric("flotilla_worker_busy_slots").await == 0.0).await;
        measured("cut off from the database", "handlers stopped, the deaf aborted", cut.elapsed());
        assert_eq!(stage.judge.count(), 0, "no effect begins after the lease");
    }
}

/// I2, I3: nobody acted on the lease yet, so what it had ended counts when it comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_its_lease_a_worker_stops_and_what_it_had_ended_still_counts() {
    let servers = fresh_servers!();
    let proxy = FaultProxy::start(servers::postgres().expect("asked before").port()).await;
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let own = servers::through(&servers.database.url(), proxy.port());
    let worker = stage.fleet.chaos_worker(SLOTS, &[("FLOTILLA_DATABASE_URL", own)]).await;
    let old = worker_id(&servers.database, &worker).await;
    let past = Past::begun(&stage, &worker, &proxy).await;
    past.over(&mut stage, &worker).await;
    let waiting = stage.order(&vec![plain(0); 5]).await;
    proxy.set(Mode::Pass);
    for job in stage.succeeded(&past.done, SOON).await {
        assert_eq!((&job["run"], &job["crashes"]), (&json!(1), &json!(0)), "recorded, not repeated: {job:#}");
    }
    // Under its new id; nothing but a hint of them was there before.
    for job in stage.succeeded(&waiting, SOON).await {
        assert_eq!(job["run"], 1, "{job:#}");
    }
    let new = format!("select count(*) from worker where pid = {} and id <> '{old}'", worker.pid());
    assert_eq!(servers.database.count(&new).await, 1, "under a new id");
    // The rescuer finds the rest, and the same process runs it.
    stage.until("the others run again", &past.long, RESCUED_WITHIN, |job| job["state"] == "running" && job["run"] == 2).await;
    let late = stage.succeeded(&past.late, SOON).await;
    assert_eq!((&late[0]["result"], stage.judge.count()), (&json!("run 2"), 1), "the one effect");
    stage.stop([]).await;
}

/// I3: its jobs were given to others meanwhile, so nothing it had ended counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_cut_off_until_its_jobs_are_rescued_is_fenced() {
    let servers = fresh_servers!();
    let proxy = FaultProxy::start(servers::postgres().expect("asked before").port()).await;
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let own = servers::through(&servers.database.url(), proxy.port());
    let worker = stage.fleet.chaos_worker(SLOTS, &[("FLOTILLA_DATABASE_URL", own)]).await;
    let past = Past::begun(&stage, &worker, &proxy).await;
    past.over(&mut stage, &worker).await;
    let other = stage.fleet.chaos_worker(SLOTS, &[]).await;
    let again = |job: &Value| job["run"] == 2 && job["crashes"] == 1;
    stage.until("its jobs run elsewhere", &[&past.done[..], &past.long].concat(), RESCUED_WITHIN, again).await;
    // Also what the broker would have given to the worker that is cut off: that one is not subscribed.
    let done = stage.succeeded(&[&past.done[..], &past.late].concat(), SOON).await;
    assert_eq!((&done[2]["result"], stage.judge.count()), (&json!("run 2"), 1), "the one effect");

    proxy.set(Mode::Pass);
    eventually("what it had ended is given up", SOON, async || {
        let ends = worker.metric("flotilla_worker_settle_backlog").await;
        if ends == 0.0 && worker.log_text().contains("this attempt's end does not count") { Ok(()) } else { Err(worker.said()) }
    })
    .await;
    for job in done {
        assert_eq!(stage.job(job["id"].as_str().expect("an id")).await, job, "no settle");
    }
    let recorded = servers.database.count("select sum(succeeded) from job_rate").await;
    assert_eq!(recorded, past.done.len() as u64 + 1, "each once, and the effect");
    stage.stop([]).await;
    drop(other);
}
