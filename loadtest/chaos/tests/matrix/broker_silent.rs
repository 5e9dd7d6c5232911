//! The network to the broker is there and silent, for producer, scheduler and worker alike: each notices by itself, nobody who submits
//! waits for it, and everything goes on when the network does.

use std::time::Duration;

use testkit::{FaultProxy, Mode, eventually, servers};
use tokio::time::Instant;

use chaos::fleet::{SOON, Urls};
use chaos::process::Process;
use chaos::stage::Stage;
use chaos::{fresh_servers, measured};

const ROW: &str = "half-open broker";
const JOBS: usize = 20;
/// Two heartbeats and what stands around them (queue-core, failure matrix).
const DETECTED_WITHIN: Duration = Duration::from_secs(30);
/// A submission waits for the store only, however long the broker says nothing.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
const RESUMES_WITHIN: Duration = Duration::from_secs(30);

/// Waits until a role says itself that it has no broker.
async fn notices(role: &str, process: &Process, silent_at: Instant) {
    eventually(&format!("the {role} notices"), DETECTED_WITHIN, async || {
        let trouble = process.trouble_with("broker").await;
        trouble.filter(|trouble| trouble.contains("not connected")).ok_or_else(|| process.said())
    })
    .await;
    measured(ROW, &format!("noticed by the {role}"), silent_at.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_network_is_noticed_by_every_role_and_survived() {
    let servers = fresh_servers!();
    let proxy = FaultProxy::start(servers::rabbitmq().expect("asked before").port()).await;
    let urls = Urls { broker: servers::through(&servers.vhost.url(), proxy.port()), ..Urls::of(&servers) };
    let mut stage = Stage::on(&urls).await;
    let worker = stage.fleet.worker(10).await;
    let first = stage.submit(JOBS, 0).await;
    stage.accepted(&first, SOON).await;
    let connects = async |process: &Process| process.metric("flotilla_broker_connects_total").await;
    let before = [connects(&stage.producer).await, connects(&stage.scheduler).await];

    let silent_at = Instant::now();
    proxy.set(Mode::HalfOpen);
    let mut jobs = JOBS;
    // Before it is noticed, when what is published goes nowhere.
    for _ in 0..10 {
        let asked_at = Instant::now();
        stage.submit(JOBS, 0).await;
        assert!(asked_at.elapsed() <= ANSWERED_WITHIN, "a submission took {:?}", asked_at.elapsed());
        jobs += JOBS;
    }
    tokio::join!(
        notices("producer", &stage.producer, silent_at),
        notices("scheduler", &stage.scheduler, silent_at),
        notices("worker", &worker, silent_at)
    );
    // And after.
    stage.submit(JOBS, 0).await;
    jobs += JOBS;

    proxy.set(Mode::Pass);
    let open_at = Instant::now();
    eventually("the first job has ended", RESUMES_WITHIN, async || stage.judge.count() > JOBS).await;
    measured(ROW, "from the network's return to the first job that ended", open_at.elapsed());
    stage.done_once(&servers.database, jobs, SOON * 2).await;
    measured(ROW, "from the network's return until all that waited had run", open_at.elapsed());
    let after = [connects(&stage.producer).await, connects(&stage.scheduler).await];
    assert!(after[0] > before[0] && after[1] > before[1], "they connected anew: {before:?}, {after:?}");
    stage.stop([worker]).await;
}
