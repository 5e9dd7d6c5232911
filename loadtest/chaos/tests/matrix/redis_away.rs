//! Redis is emptied, and goes away altogether: it makes a fleet quicker and more friendly, and nobody needs it.

use testkit::servers::{self, PrivateRedis, Stop};
use testkit::{eventually, skip, within};

use chaos::fleet::{SOON, Urls};
use chaos::process::Process;
use chaos::redis::said;
use chaos::stage::Stage;

const JOBS: usize = 50;
/// How long the job takes that is followed: longer than Redis takes to go.
const LATE_MS: u32 = 4_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_jobs_go_on() {
    let (Some(postgres), Some(rabbit)) = (servers::postgres(), servers::rabbitmq()) else { skip!("postgres", servers::HOW) };
    let Some(redis) = PrivateRedis::start().await else { skip!("redis", "Redis is not installed") };
    let (database, vhost) = (postgres.fresh_database().await, rabbit.fresh_vhost().await);
    let urls = Urls { database: database.url(), broker: vhost.url(), redis: redis.url() };
    let mut stage = Stage::on(&urls).await;
    let worker = stage.fleet.worker(10).await;
    stage.submit(JOBS, 0).await;
    stage.done_once(&database, JOBS, SOON).await;

    assert_eq!(said(&redis.server(), "FLUSHALL").await, "+OK");
    stage.submit(JOBS, 0).await;
    stage.done_once(&database, 2 * JOBS, SOON).await;

    redis.stop(Stop::AtOnce).await;
    is_missed(&worker, true).await;
    stage.submit(JOBS, 0).await;
    stage.done_once(&database, 3 * JOBS, SOON).await;
    let late = stage.fleet.worker(10).await;

    redis.restart().await;
    for worker in [&worker, &late] {
        is_missed(worker, false).await;
    }
    stage.submit(JOBS, 0).await;
    stage.done_once(&database, 4 * JOBS, SOON).await;
    stage.stop([worker, late]).await;
}

/// It is shown, and the worker stays ready.
async fn is_missed(worker: &Process, missed: bool) {
    eventually("the worker shows how Redis is", SOON, async || {
        let (status, body) = worker.get("/health/ready").await.ok_or("no answer")?;
        assert_eq!(status, 200, "{body}");
        if body.contains("Redis is not connected") == missed { Ok(()) } else { Err(body) }
    })
    .await;
}

/// An event stream is made of what the store knows: with Redis gone from under it, it ends as the job does, and a later one begins
/// where the first was left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_events_come_from_the_store() {
    let (Some(postgres), Some(rabbit)) = (servers::postgres(), servers::rabbitmq()) else { skip!("postgres", servers::HOW) };
    let Some(redis) = PrivateRedis::start().await else { skip!("redis", "Redis is not installed") };
    let (database, vhost) = (postgres.fresh_database().await, rabbit.fresh_vhost().await);
    let urls = Urls { database: database.url(), broker: vhost.url(), redis: redis.url() };
    let mut stage = Stage::on(&urls).await;
    let worker = stage.fleet.worker(10).await;
    let job = stage.submit(1, LATE_MS).await;
    stage.accepted(&job, SOON).await;
    let id = job.first().expect("one");
    let mut stream = events(&stage, id, None).await;
    let mut first = String::new();
    while !first.contains("\"running\"") {
        let more = within("the first event", SOON, stream.chunk()).await.expect("readable").expect("it goes on");
        first.push_str(&String::from_utf8_lossy(&more));
    }

    redis.stop(Stop::AtOnce).await;
    let rest = within("the stream ends", SOON, stream.text()).await.expect("whole");
    assert!(rest.contains("\"succeeded\""), "{rest}");
    let place = first.lines().find_map(|line| line.strip_prefix("id:")).map(|place| place.trim().to_owned());
    let later = within("another stream ends", SOON, events(&stage, id, place).await.text()).await.expect("whole");
    assert!(later.contains("\"succeeded\""), "{later}");
    stage.stop([worker]).await;
}

/// Its event stream, from the beginning or behind an event.
async fn events(stage: &Stage, id: &str, after: Option<String>) -> reqwest::Response {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = http.get(format!("{}/v1/jobs/{id}/events", stage.producer.url())).bearer_auth(stage.fleet.key());
    let request = after.into_iter().fold(request, |request, place| request.header("last-event-id", place));
    let answer = within("an answer", SOON, request.send()).await.expect("answered");
    assert_eq!(answer.status(), 200);
    answer
}
