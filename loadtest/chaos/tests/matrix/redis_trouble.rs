//! Redis is silent, slow or full: worse than away, because it is still there. No job may notice.

use std::time::{Duration, Instant};

use testkit::servers::{self, Extras, PrivateRedis};
use testkit::{FaultProxy, Mode, Slow, eventually, skip};

use chaos::fleet::{SOON, Urls};
use chaos::fresh_servers;
use chaos::measured;
use chaos::process::Process;
use chaos::redis::said;
use chaos::servers::Servers;
use chaos::stage::Stage;

const JOBS: usize = 100;
/// Enough to show what has no bound.
const MANY: usize = 600;
const BATCHES: usize = 10;
const SLOTS: u32 = 20;
/// Half-open connections (queue-core, failure matrix).
const DETECTED_WITHIN: Duration = Duration::from_secs(30);
/// What processes may have gained after as much work again: buffers of a kind were there before.
const GROWTH_MAX: u64 = 24 * 1024 * 1024;
/// Half there, half back.
const LATENCY: Duration = Duration::from_millis(250);
/// Of all jobs: submitted one by one.
const SINGLY: usize = 80;
/// A few seconds of work. If each submission waited for a slow Redis, it would be forty.
const DONE_WITHIN: Duration = Duration::from_secs(25);

/// I7: what is silent is found out, what would have been said to it is dropped, and jobs run meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_redis_is_noticed_and_costs_neither_jobs_nor_memory() {
    let servers = fresh_servers!();
    let proxy = FaultProxy::start(servers.redis.port()).await;
    let (mut stage, worker) = behind(&proxy, &servers).await;
    for _ in 0..BATCHES {
        stage.submit(MANY / BATCHES, 0).await;
    }
    stage.done_once(&servers.database, MANY, SOON * 4).await;
    let memory = |stage: &Stage| [stage.producer.memory(), stage.scheduler.memory(), worker.memory()];
    let before = memory(&stage);

    proxy.set(Mode::HalfOpen);
    let silent = Instant::now();
    for process in [&worker, &stage.scheduler] {
        shown(process, true).await;
    }
    let detected = silent.elapsed();
    measured("redis", "half-open: shown by everybody", detected);
    assert!(detected <= DETECTED_WITHIN, "{detected:?}");
    for _ in 0..BATCHES {
        stage.submit(MANY / BATCHES, 0).await;
    }
    stage.done_once(&servers.database, 2 * MANY, SOON * 4).await;
    let after = memory(&stage);
    let grown = before.iter().zip(after).all(|(before, after)| after <= before + GROWTH_MAX);
    assert!(grown, "producer, scheduler, worker: {before:?} bytes before, {after:?} after");

    proxy.set(Mode::Pass);
    let back = Instant::now();
    for process in [&worker, &stage.scheduler] {
        shown(process, false).await;
    }
    measured("redis", "connected again after half-open", back.elapsed());
    stage.stop([worker]).await;
}

/// Half a second for each question: nobody who runs jobs waits for an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_redis_slows_no_job() {
    let servers = fresh_servers!();
    let proxy = FaultProxy::start(servers.redis.port()).await;
    let (mut stage, worker) = behind(&proxy, &servers).await;
    proxy.set(Mode::Slow(Slow::by(LATENCY)));
    works(&mut stage, &servers, "slow by 500 ms: a hundred jobs").await;
    shown(&worker, false).await;
    stage.stop([worker]).await;
}

/// `maxmemory` is reached, and nothing may be thrown out for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_redis_refuses_and_jobs_run() {
    let mut servers = fresh_servers!();
    let full = Extras { settings: vec!["maxmemory 1".to_owned(), "maxmemory-policy noeviction".to_owned()], ..Extras::default() };
    let Some(redis) = PrivateRedis::start_with(full).await else { skip!("redis", "Redis is not installed") };
    servers.redis = redis.server();
    let refused = said(&servers.redis, "SET flotilla:v1:full 1").await;
    assert!(refused.starts_with("-OOM"), "{refused}");
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let worker = stage.fleet.worker(SLOTS).await;
    works(&mut stage, &servers, "full: a hundred jobs").await;
    shown(&worker, false).await;
    stage.stop([worker]).await;
}

/// A fleet that reaches Redis through the proxy.
async fn behind(proxy: &FaultProxy, servers: &Servers) -> (Stage, Process) {
    let urls = Urls { redis: servers::through(&servers.redis.url(), proxy.port()), ..Urls::of(servers) };
    let stage = Stage::on(&urls).await;
    let worker = stage.fleet.worker(SLOTS).await;
    for process in [&worker, &stage.scheduler] {
        shown(process, false).await;
    }
    (stage, worker)
}

/// A batch, and then jobs one by one, as whoever waits for them submits them.
async fn works(stage: &mut Stage, servers: &Servers, what: &str) {
    let began = Instant::now();
    stage.submit(JOBS - SINGLY, 0).await;
    for _ in 0..SINGLY {
        stage.submit(1, 0).await;
    }
    stage.done_once(&servers.database, JOBS, SOON).await;
    measured("redis", what, began.elapsed());
    assert!(began.elapsed() <= DONE_WITHIN, "{:?}", began.elapsed());
}

/// Readiness tells of it, and stays.
async fn shown(process: &Process, missed: bool) {
    eventually("readiness shows how Redis is", SOON * 2, async || {
        let (status, body) = process.get("/health/ready").await.ok_or("no answer")?;
        assert_eq!(status, 200, "{body}");
        if body.contains("Redis is not connected") == missed { Ok(()) } else { Err(body) }
    })
    .await;
}
