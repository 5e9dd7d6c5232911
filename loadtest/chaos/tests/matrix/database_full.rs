//! The database's disk runs full, and has room again: that of its tables, or that of its log, which it does not survive.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::servers::{self, Database, Extras, PrivatePostgres, Stop};
use testkit::{eventually, measured, skip};

use chaos::api::{Answer, Api, delivery};
use chaos::fleet::{SOON, Urls};
use chaos::small_disk::{NO_MOUNT, SmallDisk};
use chaos::stage::{Stage, done};

const SLOTS: u32 = 10;
const JOBS: usize = 20;
const RESUMES_WITHIN: Duration = Duration::from_secs(10);
const DISK_MIB: u32 = 96;

async fn data(database: &Database) -> PathBuf {
    PathBuf::from(database.ask("show data_directory").await.remove(0).remove(0))
}

/// Submissions of some size, until one finds no room: how many were taken, and that one.
async fn until_refused(api: &Api, url: &str) -> (usize, Answer) {
    let mut taken = 0;
    let refused = eventually("there is no room for another job", SOON * 2, async || {
        let job = json!({ "kind": "webhooks.deliver", "payload": { "url": url, "data": noise(taken) } });
        let answer = api.submit(&job, &format!("large-{taken}")).await;
        if answer.status == 202 {
            taken += 1;
            return Err(format!("{taken} were taken"));
        }
        Ok(answer)
    })
    .await;
    (taken, refused)
}

/// Text that does not compress well.
fn noise(seed: usize) -> String {
    let mut state = seed as u64 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:x}", state >> 16)
    };
    (0..4_000).map(|_| next()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_nothing_is_half_done() {
    let (Some(rabbit), Some(redis)) = (servers::rabbitmq(), servers::redis()) else { skip!("rabbitmq", servers::HOW) };
    let Some(postgres) = PrivatePostgres::start().await else { skip!("postgres", "PostgreSQL is not installed") };
    let (database, admin) = (postgres.server().fresh_database().await, postgres.server().fresh_database().await);
    let Some(disk) = SmallDisk::mount(DISK_MIB, &data(&admin).await) else { skip!("mount", NO_MOUNT) };
    admin.ask(&format!("create tablespace small location '{}'", disk.path().display())).await;
    admin.ask(&format!("alter database {} set tablespace small", database.name())).await;
    let vhost = rabbit.fresh_vhost().await;
    let mut stage = Stage::on(&Urls { database: database.url(), broker: vhost.url(), redis: redis.url() }).await;
    let worker = stage.fleet.worker(SLOTS).await;
    let running = stage.submit(JOBS, 1_500).await;
    eventually("some run", SOON, async || stage.judge.count() >= SLOTS as usize).await;
    assert!(running.len() == JOBS && worker.metric("flotilla_worker_fenced_total").await == 0.0);

    disk.fill();
    let api = Api::of(&stage.fleet, &stage.producer);
    let (taken, refused) = until_refused(&api, &stage.judge.late(0)).await;
    assert!(refused.is_refusal("store_full"), "{refused:?}");
    measured("database full", "a submission is refused", refused.took);
    let (status, ready) = stage.producer.get("/health/ready").await.expect("answered");
    assert!(status == 503 && ready.contains("space"), "{ready}");
    let (_, metrics) = stage.producer.get("/metrics").await.expect("answered without room");
    assert!(metrics.contains(r#"route="/v1/jobs",status="503""#), "{metrics}");
    assert_eq!(database.count("select count(*) from job").await, (JOBS + taken) as u64, "what was refused is not there, not even in part");
    let broken = "select count(*) from job where state = 1 and not exists (select 1 from emission where id = job.emission_id and job.id = any(job_ids))";
    assert_eq!(database.count(broken).await, 0, "I16: whatever is queued is in the ledger");

    disk.free();
    let back = Instant::now();
    let job = delivery(&stage.judge.late(0), "after");
    eventually("jobs are accepted again", RESUMES_WITHIN, async || api.submit(&job, "after").await.status == 202).await;
    measured("database full", "accepted again", back.elapsed());
    stage.producer.ready().await;
    measured("database full", "ready again", back.elapsed());
    stage.done_once(&database, JOBS + taken + 1, SOON * 2).await;
    stage.stop([worker]).await;
}

/// PostgreSQL ends itself when its log has no room, and does not come up again before it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_whose_log_has_no_room_is_one_that_is_away() {
    let (Some(rabbit), Some(redis)) = (servers::rabbitmq(), servers::redis()) else { skip!("rabbitmq", servers::HOW) };
    let settings = ["max_wal_size = 32MB", "min_wal_size = 32MB"].map(str::to_owned).to_vec();
    let Some(postgres) = PrivatePostgres::start_with(Extras { settings, ..Extras::default() }).await else {
        skip!("postgres", "PostgreSQL is not installed")
    };
    let (database, admin) = (postgres.server().fresh_database().await, postgres.server().fresh_database().await);
    let log = data(&database).await.join("pg_wal");
    let Some(disk) = SmallDisk::mount(DISK_MIB, &log) else { skip!("mount", NO_MOUNT) };
    postgres.stop(Stop::Gently).await;
    let copied = Command::new("cp").arg("-a").arg(log.join(".")).arg(disk.path()).status().expect("there is `cp`");
    assert!(copied.success());
    std::fs::remove_dir_all(&log).expect("copied");
    std::os::unix::fs::symlink(disk.path(), &log).expect("it was removed");
    postgres.restart().await;
    let vhost = rabbit.fresh_vhost().await;
    let mut stage = Stage::on(&Urls { database: database.url(), broker: vhost.url(), redis: redis.url() }).await;
    let worker = stage.fleet.worker(SLOTS).await;
    stage.submit(JOBS, 1_500).await;
    eventually("some run", SOON, async || stage.judge.count() >= SLOTS as usize).await;

    disk.fill();
    let much = "create table much as select repeat(md5(n::text), 30) from generate_series(1, 200000) as n";
    assert!(admin.try_ask(much).await.is_err(), "there was room");
    let api = Api::of(&stage.fleet, &stage.producer);
    let job = delivery(&stage.judge.late(0), "after");
    eventually("the database is away", SOON, async || database.try_ask("select 1").await.is_err()).await;
    let refused = api.submit(&job, "after").await;
    assert!(refused.is_refusal("store_unavailable") || refused.is_refusal("store_full"), "{refused:?}");
    eventually("the producer is not ready", SOON, async || matches!(stage.producer.get("/health/ready").await, Some((503, _)))).await;

    disk.free();
    postgres.restart().await;
    let back = Instant::now();
    eventually("jobs are accepted again", RESUMES_WITHIN, async || api.submit(&job, "after").await.status == 202).await;
    measured("database full", "its log: accepted again", back.elapsed());
    done(&database, JOBS + 1, SOON * 2).await;
    let again = database.count("select sum(run - 1) from job").await;
    let delivered: usize = stage.judge.accepted().values().map(|accepted| accepted.times).sum();
    assert!(delivered as u64 <= (JOBS + 1) as u64 + again, "{delivered} deliveries, {again} ran again");
    stage.stop([worker]).await;
}
