//! The database crashes under load and comes back: the API says so, and everybody goes on by themselves.

use std::time::{Duration, Instant};

use flotilla_client::Error as ClientError;
use serde_json::json;
use testkit::servers::{self, PrivatePostgres, Stop};
use testkit::{eventually, skip};

use chaos::fleet::{SOON, Urls};
use chaos::stage::{Stage, done};

const JOBS: usize = 300;
const SLOTS: u32 = 20;
const LATE_MS: u32 = 500;
/// From the return of the database (queue-core, failure matrix).
const RESUMES_WITHIN: Duration = Duration::from_secs(10);

/// I3, I14: an outage that is shorter than a lease costs time, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_database_loses_and_doubles_nothing() {
    let (Some(rabbit), Some(redis)) = (servers::rabbitmq(), servers::redis()) else { skip!("rabbitmq", servers::HOW) };
    let Some(postgres) = PrivatePostgres::start().await else { skip!("postgres", "PostgreSQL is not installed") };
    let (database, vhost) = (postgres.server().fresh_database().await, rabbit.fresh_vhost().await);
    let urls = Urls { database: database.url(), broker: vhost.url(), redis: redis.url() };
    let mut stage = Stage::on(&urls).await;
    let workers = [stage.fleet.worker(SLOTS).await, stage.fleet.worker(SLOTS).await];
    stage.submit(JOBS, LATE_MS).await;
    eventually("the workers are at it", SOON, async || stage.judge.count() >= 2 * SLOTS as usize).await;

    postgres.stop(Stop::AtOnce).await;
    let job = json!({ "kind": "webhooks.deliver", "payload": { "url": stage.judge.late(0), "data": "after" } }).to_string();
    let sent = async || stage.client.post_text("/v1/jobs", job.clone(), Some("after")).await;
    match sent().await {
        Err(ClientError::Problem(problem)) => assert_eq!((problem.status, problem.code.as_str()), (503, "store_unavailable")),
        other => panic!("accepted without a database: {other:?}"),
    }
    assert_eq!(retry_after(&stage, &job).await, Some(503), "with the time after which to try again");
    eventually("the producer is not ready", SOON, async || matches!(stage.producer.get("/health/ready").await, Some((503, _)))).await;
    let ended = database.try_ask("select 1").await;
    assert!(ended.is_err(), "it is away: {ended:?}");

    postgres.restart().await;
    let back = Instant::now();
    let accepted = eventually("jobs are accepted again", SOON, sent).await;
    let (resumed, status) = (back.elapsed(), accepted.status);
    assert!(status == 202 && resumed <= RESUMES_WITHIN, "{status} after {resumed:?}");
    done(&database, JOBS + 1, SOON * 2).await;
    let crashes = database.count("select sum(crashes) from job").await;
    let delivered: usize = stage.judge.accepted().values().map(|accepted| accepted.times).sum();
    assert_eq!(stage.judge.count(), JOBS + 1);
    assert!(delivered as u64 <= JOBS as u64 + 1 + crashes, "{delivered} deliveries of {} jobs, {crashes} were rescued", JOBS + 1);
    stage.stop(workers).await;
}

/// The status of an answer that says when to try again.
async fn retry_after(stage: &Stage, job: &str) -> Option<u16> {
    let http = reqwest::Client::builder().no_proxy().timeout(SOON).build().expect("a client");
    let request = http.post(stage.producer.url() + "/v1/jobs").bearer_auth(stage.fleet.key()).header("content-type", "application/json");
    let answer = request.body(job.to_owned()).send().await.expect("answered");
    answer.headers().get("retry-after")?.to_str().ok()?.parse::<u64>().ok()?;
    Some(answer.status().as_u16())
}
