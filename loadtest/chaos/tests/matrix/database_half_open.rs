//! The database falls silent for every role, again and again, without a connection being closed.

use std::time::{Duration, Instant};

use testkit::{FaultProxy, Mode, eventually, measured, servers};

use chaos::api::{Api, delivery};
use chaos::fleet::{SOON, Urls};
use chaos::fresh_servers;
use chaos::process::Process;
use chaos::stage::{Stage, done};

const ROUNDS: usize = 3;
const JOBS: usize = 20;
const SLOTS: u32 = 10;
/// queue-core, failure matrix.
const DETECTED_WITHIN: Duration = Duration::from_secs(30);
const RESUMES_WITHIN: Duration = Duration::from_secs(10);
/// The deadline of a write, and of what comes before it.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// When it is not ready; how long after the fault.
async fn noticed(role: &Process, begun: Instant) -> Duration {
    eventually("the role is not ready", DETECTED_WITHIN, async || match role.get("/health/ready").await {
        Some((503, body)) if body.contains("\"store\"") => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_database_is_noticed_by_every_role_and_left() {
    let servers = fresh_servers!();
    let proxy = FaultProxy::start(servers::postgres().expect("asked before").port()).await;
    let urls = Urls { database: servers::through(&servers.database.url(), proxy.port()), ..Urls::of(&servers) };
    let mut stage = Stage::on(&urls).await;
    let worker = stage.fleet.worker(SLOTS).await;
    let api = Api::of(&stage.fleet, &stage.producer);
    let mut all = 0;
    for round in 0..ROUNDS {
        let jobs = stage.submit(JOBS, 100).await;
        stage.accepted(&jobs, SOON).await;
        proxy.set(Mode::HalfOpen);
        let begun = Instant::now();
        let (job, key) = (delivery(&stage.judge.late(0), "lone"), format!("round-{round}"));
        let (refused, producer, scheduler, worker_noticed) = tokio::join!(
            api.submit(&job, &key),
            noticed(&stage.producer, begun),
            noticed(&stage.scheduler, begun),
            noticed(&worker, begun),
        );
        assert!(refused.is_refusal("store_unavailable") && refused.took <= ANSWERED_WITHIN, "{refused:?}");
        measured("database half-open", "a submission is refused", refused.took);
        for (role, after) in [("producer", producer), ("scheduler", scheduler), ("worker", worker_noticed)] {
            assert!(after <= DETECTED_WITHIN, "{role}: {after:?}");
            measured("database half-open", &format!("{role} is not ready"), after);
        }

        proxy.set(Mode::Pass);
        let back = Instant::now();
        let resumed = async || api.submit(&job, &key).await.status == 202;
        eventually("jobs are accepted again", RESUMES_WITHIN, resumed).await;
        measured("database half-open", "accepted again", back.elapsed());
        all += JOBS + 1;
        done(&servers.database, all, SOON * 2).await;
        for role in [&stage.producer, &stage.scheduler, &worker] {
            role.ready().await;
        }
    }
    let delivered: usize = stage.judge.accepted().values().map(|accepted| accepted.times).sum();
    let spent = servers.database.count("select sum(run) from job").await;
    assert!(stage.judge.count() == all && delivered as u64 <= spent, "{delivered} deliveries in {spent} runs of {all} jobs");
    stage.stop([worker]).await;
}
