//! There are fewer connections to the database than wanted: none at all for a while, or all for readers taken by slow ones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use testkit::{eventually, hold, measured};
use tokio::task::JoinSet;

use chaos::api::{Api, delivery};
use chaos::database::{Lock, disconnect};
use chaos::fleet::{SOON, Urls};
use chaos::fresh_servers;
use chaos::stage::Stage;

const SLOTS: u32 = 10;
const JOBS: usize = 20;
/// Submissions while lists are slow.
const MEANWHILE: usize = 5;
const RESUMES_WITHIN: Duration = Duration::from_secs(10);
/// The deadline of a read, on a busy machine.
const LIST_ENDS_WITHIN: Duration = Duration::from_secs(15);

/// The server refuses connections of the fleet's role (53300), at a start and while the fleet runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_connections_are_waited_out() {
    let servers = fresh_servers!();
    let role = testkit::servers::unique_name("crowded");
    let name = servers.database.name().to_owned();
    servers.database.ask(&format!("create role {role} login password 'crowded'")).await;
    servers.database.ask(&format!("alter database {name} owner to {role}")).await;
    let mut url = url::Url::parse(&servers.database.url()).expect("a URL");
    url.set_username(&role).and_then(|()| url.set_password(Some("crowded"))).expect("it has a host");
    let limit = async |to: i32| servers.database.ask(&format!("alter role {role} connection limit {to}")).await;
    let mut stage = Stage::on(&Urls { database: url.to_string(), ..Urls::of(&servers) }).await;
    let worker = stage.fleet.worker(SLOTS).await;
    let jobs = stage.submit(JOBS, 1_500).await;
    stage.accepted(&jobs, SOON).await;

    limit(0).await;
    assert!(disconnect(&servers.database).await > 0);
    let (api, job) = (Api::of(&stage.fleet, &stage.producer), delivery(&stage.judge.late(0), "lone"));
    let refused = api.submit(&job, "lone").await;
    assert!(refused.is_refusal("store_unavailable"), "{refused:?}");
    for role in [&stage.producer, &stage.scheduler, &worker] {
        eventually("the role is not ready", SOON, async || matches!(role.get("/health/ready").await, Some((503, _)))).await;
    }
    let (_, metrics) = stage.producer.get("/metrics").await.expect("answered without a database");
    assert!(metrics.contains(r#"route="/v1/jobs",status="503""#), "{metrics}");
    let late = async {
        hold(Duration::from_secs(3), "a process that starts meets the limit").await;
        limit(-1).await;
        Instant::now()
    };
    let (second, back) = tokio::join!(stage.fleet.start("producer", &[]), late);
    assert!(second.log_text().contains("trying again"), "it has waited: {}", second.said());
    let resumed = async || api.submit(&job, "lone").await.status == 202;
    eventually("jobs are accepted again", RESUMES_WITHIN, resumed).await;
    let took = back.elapsed();
    measured("database crowded", "accepted again", took);
    stage.done_once(&servers.database, JOBS + 1, SOON * 2).await;
    stage.stop([worker, second]).await;
    servers.database.ask(&format!("reassign owned by {role} to current_user; drop owned by {role}; drop role {role}")).await;
}

/// People who wait for slow lists get a refusal in time, and keep nobody else from being served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_lists_are_refused_in_time_and_hold_up_nobody() {
    let servers = fresh_servers!();
    let urls = Urls::of(&servers);
    let database = Arc::new(servers.database);
    let mut stage = Stage::on(&urls).await;
    let worker = stage.fleet.worker(SLOTS).await;
    let one = stage.submit(1, 0).await.pop_first().expect("one");
    let (api, path) = (Api::of(&stage.fleet, &stage.producer), format!("/v1/jobs/{one}/timeline"));

    // Only what shows a job's history needs this table.
    let lock = Lock::on(&database, "job_event").await;
    let mut lists = JoinSet::new();
    for _ in 0..12 {
        let (api, path) = (api.clone(), path.clone());
        lists.spawn(async move { api.get(&path).await });
    }
    let waiting = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name = 'flotilla reader' and wait_event_type = 'Lock'";
    eventually("lists wait", SOON, async || database.count(waiting).await >= 3).await;
    let job = delivery(&stage.judge.late(0), "lone");
    for number in 0..MEANWHILE {
        let taken = api.submit(&job, &format!("while-{number}")).await;
        assert_eq!(taken.status, 202, "{taken:?}");
        assert!(taken.took < Duration::from_secs(3), "it waited behind the lists: {taken:?}");
    }
    assert!(matches!(stage.producer.get("/health/ready").await, Some((200, _))), "jobs can be taken in");
    for list in lists.join_all().await {
        assert!(list.is_refusal("store_unavailable") && list.took < LIST_ENDS_WITHIN, "{list:?}");
        measured("database crowded", "a slow list is refused", list.took);
    }
    lock.release().await;
    eventually("lists are shown again", RESUMES_WITHIN, async || api.get(&path).await.status == 200).await;
    stage.done_once(&database, 1 + MEANWHILE, SOON).await;
    stage.stop([worker]).await;
}
