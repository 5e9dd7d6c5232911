//! The broker is stopped, as an operator does and as a crash does: jobs are accepted all the while, and run again soon after its return.

use std::time::Duration;

use testkit::servers::Stop;
use testkit::{eventually, hold};
use tokio::time::Instant;

use chaos::fleet::SOON;
use chaos::stage::Stage;
use chaos::{measured, own_broker};

const ROW: &str = "broker restart";
const JOBS: usize = 50;
/// From the moment the broker serves again to the first job that ends (issue 5, numbers).
const RESUMES_WITHIN: Duration = Duration::from_secs(15);
/// Longer than any pause between two tries to reach it.
const AWAY_FOR: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_run_again_soon_after_the_broker_serves_again() {
    let servers = own_broker!();
    let mut stage = Stage::on(&servers.urls()).await;
    let worker = stage.fleet.worker(10).await;
    let before = stage.submit(JOBS, 0).await;
    stage.accepted(&before, SOON).await;
    for (round, (stop, how)) in [(Stop::Gently, "stopped"), (Stop::AtOnce, "killed")].into_iter().enumerate() {
        servers.rabbit.stop(stop).await;
        let waiting = stage.submit(JOBS, 0).await;
        hold(AWAY_FOR, "every process waits for as long as it ever does between two tries to reach the broker").await;
        assert_eq!(stage.judge.count(), (round + 1) * JOBS, "no hint gets through");
        let trouble = stage.producer.trouble_with("broker").await;
        assert!(trouble.as_ref().is_some_and(|trouble| trouble.contains("not connected")), "{trouble:?}");

        servers.rabbit.restart().await;
        let served_at = Instant::now();
        eventually("the first job has ended", RESUMES_WITHIN, async || {
            let ended = servers.database.count("select count(*) from job where state = 3").await;
            if ended > ((round + 1) * JOBS) as u64 { Ok(()) } else { Err(format!("{}\n{}", worker.said(), stage.scheduler.said())) }
        })
        .await;
        measured(ROW, &format!("{how}: from its return to the first job that ended"), served_at.elapsed());
        stage.accepted(&waiting, SOON).await;
        measured(ROW, &format!("{how}: from its return until all that waited had run"), served_at.elapsed());
    }
    stage.done_once(&servers.database, 3 * JOBS, SOON).await;
    assert_eq!(worker.metric("flotilla_worker_fenced_total").await, 0.0, "the broker is no reason to give up a lease");
    stage.stop([worker]).await;
}
