//! A lone job takes the express lane: sooner than by the broker, also while that is away, and never twice.

use serde_json::json;
use testkit::{FaultProxy, Mode, eventually, servers};

use chaos::fleet::{SOON, Urls};
use chaos::fresh_servers;
use chaos::process::Process;
use chaos::stage::Stage;

const HINTS: &str = "flotilla_express_hints_total";

async fn hints(process: &Process, outcome: &str) -> f64 {
    process.metric_of(HINTS, &format!("outcome=\"{outcome}\"")).await
}

/// One job in a request of its own.
async fn alone(stage: &Stage) {
    let job = json!({ "kind": "webhooks.deliver", "payload": { "url": stage.judge.late(0), "data": {} } });
    stage.client.post("/v1/jobs", &job).await.expect("accepted");
}

/// I1: the store decides, so a job that is hinted both ways runs once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lone_jobs_run_once_and_without_the_broker() {
    let servers = fresh_servers!();
    let proxy = FaultProxy::start(servers::rabbitmq().expect("asked before").port()).await;
    let urls = Urls { broker: servers::through(&servers.vhost.url(), proxy.port()), ..Urls::of(&servers) };
    let mut stage = Stage::on(&urls).await;
    let worker = stage.fleet.worker(10).await;
    let mut jobs = 0;
    eventually("a copy at the broker needs no look at the store", SOON, async || {
        alone(&stage).await;
        jobs += 1;
        hints(&worker, "spared").await > 0.0
    })
    .await;
    assert!(hints(&worker, "claimed").await > 0.0);
    stage.done_once(&servers.database, jobs, SOON).await;

    proxy.set(Mode::Cut);
    eventually("the API shows that the broker is away", SOON, async || {
        let (_, body) = stage.producer.get("/health/ready").await.ok_or("no answer")?;
        if body.contains("unavailable") { Ok(()) } else { Err(format!("{body}\n{}", stage.producer.said())) }
    })
    .await;
    // One that nobody takes at once waits for the broker, so it may need some.
    let succeeded = u64::try_from(jobs).expect("it fits");
    eventually("a lone job runs without the broker", SOON, async || {
        alone(&stage).await;
        jobs += 1;
        servers.database.count("select count(*) from job where state = 3").await > succeeded
    })
    .await;
    proxy.set(Mode::Pass);
    stage.done_once(&servers.database, jobs, SOON).await;
    eventually("the ledger is empty", SOON, async || servers.database.count("select count(*) from emission").await == 0).await;
    stage.stop([worker]).await;
}

/// Who is told to do without it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lane_can_be_switched_off() {
    let servers = fresh_servers!();
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let worker = stage.fleet.worker(10).await;
    let plain = stage.fleet.start("producer", &[("FLOTILLA_EXPRESS", "false".to_owned())]).await;
    plain.ready().await;
    stage.client = stage.fleet.client(&plain);
    for _ in 0..5 {
        alone(&stage).await;
    }
    stage.done_once(&servers.database, 5, SOON).await;
    assert_eq!(hints(&plain, "offered").await, 0.0);
    stage.stop([worker, plain]).await;
}
