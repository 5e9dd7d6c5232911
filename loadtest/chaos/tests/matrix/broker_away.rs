//! The broker is away when jobs are submitted: they are accepted, and run when hints get through again.

use std::time::Duration;

use testkit::{FaultProxy, Mode, eventually, servers};

use chaos::fleet::{SOON, Urls};
use chaos::fresh_servers;
use chaos::stage::Stage;

const JOBS: usize = 100;
/// An unconfirmed emission is due after 5 s, and looked for each second (queue-core, failure matrix).
const SENT_AGAIN_WITHIN: Duration = Duration::from_secs(7);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_accepted_without_a_broker_and_run_on_its_return() {
    let servers = fresh_servers!();
    let proxy = FaultProxy::start(servers::rabbitmq().expect("asked before").port()).await;
    let urls = Urls { broker: servers::through(&servers.vhost.url(), proxy.port()), ..Urls::of(&servers) };
    let mut stage = Stage::on(&urls).await;
    let worker = stage.fleet.worker(10).await;
    let before = stage.submit(JOBS, 0).await;
    stage.accepted(&before, SOON).await;

    proxy.set(Mode::Cut);
    eventually("the API shows that the broker is away", SOON, async || {
        let (status, body) = stage.producer.get("/health/ready").await.ok_or("no answer")?;
        // Jobs can be taken in, so it stays ready.
        assert_eq!(status, 200, "{body}");
        if body.contains("unavailable") { Ok(()) } else { Err(format!("{body}\n{}", stage.producer.said())) }
    })
    .await;
    stage.submit(JOBS, 0).await;
    assert_eq!(servers.database.count("select count(*) from job where state = 1").await, JOBS as u64, "accepted, and waiting");
    let waiting = servers.database.count("select count(*) from emission where published_at is null").await;
    assert!(waiting > 0, "the ledger knows that nothing was sent");

    proxy.set(Mode::Pass);
    stage.done_once(&servers.database, 2 * JOBS, SOON).await;
    stage.stop([worker]).await;
}

/// The producer's own way to the broker is cut, so what it commits it never publishes; then it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_producer_did_not_publish_is_sent_by_others() {
    let servers = fresh_servers!();
    let proxy = FaultProxy::start(servers::rabbitmq().expect("asked before").port()).await;
    proxy.set(Mode::Cut);
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let worker = stage.fleet.worker(10).await;
    let cut = servers::through(&servers.vhost.url(), proxy.port());
    let mut victim = stage.fleet.start("producer", &[("FLOTILLA_BROKER_URL", cut)]).await;
    victim.ready().await;
    stage.client = stage.fleet.client(&victim);

    let jobs = stage.submit(JOBS, 0).await;
    victim.guard.kill();
    assert_eq!(servers.database.count("select count(*) from job where run = 0").await, JOBS as u64, "no hint of them was sent yet");
    stage.accepted(&jobs, SOON).await;
    stage.done_once(&servers.database, JOBS, SOON).await;
    // The first to start: how long the others take is a matter of slots.
    let shortest = servers.database.count("select min(started_at - created_at) from job").await;
    let shortest = Duration::from_micros(shortest);
    assert!(shortest <= SENT_AGAIN_WITHIN, "every job waited for {shortest:?} and more");
    stage.stop([worker]).await;
}
