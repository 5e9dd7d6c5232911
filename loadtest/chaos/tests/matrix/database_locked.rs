//! Somebody locks the table of jobs for longer than a lease lasts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use testkit::{eventually, hold, measured};

use chaos::api::{Api, delivery};
use chaos::database::Lock;
use chaos::fleet::{SOON, Urls, running_on, worker_id};
use chaos::fresh_servers;
use chaos::stage::Stage;

const SLOTS: u32 = 10;
const JOBS: usize = 10;
const LATE_MS: u32 = 2_000;
/// Longer than a lease of 20 s, from its last renewal on.
const LOCKED_FOR: Duration = Duration::from_secs(26);
/// The deadline of a write, on a busy machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);
const RESUMES_WITHIN: Duration = Duration::from_secs(10);

/// I3: a lease needs nothing of the jobs. What runs ends, its end is kept, and nobody takes it over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locked_jobs_cost_nobody_a_lease() {
    let servers = fresh_servers!();
    let urls = Urls::of(&servers);
    let database = Arc::new(servers.database);
    let mut stage = Stage::on(&urls).await;
    let worker = stage.fleet.worker(SLOTS).await;
    let id = worker_id(&database, &worker).await;
    let running = stage.submit(JOBS, LATE_MS).await;
    stage.accepted(&running, SOON).await;
    assert_eq!(running_on(&database, &id).await, running);

    let lock = Lock::on(&database, "job").await;
    let (api, job) = (Api::of(&stage.fleet, &stage.producer), delivery(&stage.judge.late(0), "lone"));
    let refused = async {
        let refused = api.submit(&job, "lone").await;
        assert!(refused.is_refusal("store_unavailable") && refused.took <= ANSWERED_WITHIN, "{refused:?}");
        measured("database locked", "a submission is refused", refused.took);
    };
    tokio::join!(refused, hold(LOCKED_FOR, "longer than a lease"));
    let live = "select count(*) from worker where state = 0 and lease_until > flotilla_now()";
    assert_eq!(database.count(live).await, 1, "renewed all the while: {}", worker.said());
    let waiting = worker.metric("flotilla_worker_settle_backlog").await;
    assert!(waiting >= 1.0, "{waiting} ends wait");

    lock.release().await;
    let back = Instant::now();
    eventually("jobs are accepted again", RESUMES_WITHIN, async || api.submit(&job, "lone").await.status == 202).await;
    measured("database locked", "accepted again", back.elapsed());
    stage.done_once(&database, JOBS + 1, SOON).await;
    assert_eq!((worker_id(&database, &worker).await, worker.metric("flotilla_worker_fenced_total").await), (id, 0.0));
    stage.stop([worker]).await;
}
