//! The database goes away under load and comes back: the API says so, and everybody goes on by themselves.

use std::time::{Duration, Instant};

use testkit::servers::{self, Database, PrivatePostgres, Stop};
use testkit::{eventually, measured, skip};

use chaos::api::{Api, delivery};
use chaos::database::{disconnect, kill};
use chaos::fleet::{SOON, Urls};
use chaos::stage::{Stage, done};

const JOBS: usize = 150;
const SLOTS: u32 = 20;
const LATE_MS: u32 = 500;
/// From the return of the database (queue-core, failure matrix).
const RESUMES_WITHIN: Duration = Duration::from_secs(10);
/// A refused connection is an answer; one that was open when the server went may have to be found out about first.
const REFUSED_WITHIN: Duration = Duration::from_secs(12);

/// How the database goes.
#[derive(Debug, Clone, Copy)]
enum Way {
    Gently,
    /// As a host that loses its power.
    Killed,
}

/// I3, I14: an outage that is shorter than a lease costs time, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_the_database_goes_nothing_is_lost_or_doubled() {
    let (Some(rabbit), Some(redis)) = (servers::rabbitmq(), servers::redis()) else { skip!("rabbitmq", servers::HOW) };
    let Some(postgres) = PrivatePostgres::start().await else { skip!("postgres", "PostgreSQL is not installed") };
    let (database, vhost) = (postgres.server().fresh_database().await, rabbit.fresh_vhost().await);
    let mut stage = Stage::on(&Urls { database: database.url(), broker: vhost.url(), redis: redis.url() }).await;
    let workers = [stage.fleet.worker(SLOTS).await, stage.fleet.worker(SLOTS).await];
    let api = Api::of(&stage.fleet, &stage.producer);
    let mut all = 0;
    for way in [Way::Gently, Way::Killed] {
        stage.submit(JOBS, LATE_MS).await;
        eventually("the workers are at it", SOON, async || stage.judge.count() >= all + 2 * SLOTS as usize).await;
        match way {
            Way::Gently => postgres.stop(Stop::Gently).await,
            Way::Killed => kill(&database).await,
        }
        let (job, key) = (delivery(&stage.judge.late(0), "after"), format!("after-{way:?}"));
        let refused = api.submit(&job, &key).await;
        assert!(refused.is_refusal("store_unavailable") && refused.took < REFUSED_WITHIN, "{refused:?}");
        eventually("the producer is not ready", SOON, async || matches!(stage.producer.get("/health/ready").await, Some((503, _)))).await;

        // What is left of it is waited for.
        postgres.stop(Stop::AtOnce).await;
        let ended = stage.judge.count();
        postgres.restart().await;
        let back = Instant::now();
        eventually("jobs are accepted again", SOON, async || api.submit(&job, &key).await.status == 202).await;
        let accepted = back.elapsed();
        eventually("another job has ended", SOON, async || succeeded_since(&database, back).await > 0).await;
        let finished = back.elapsed();
        measured("database restart", &format!("{way:?}: accepted again"), accepted);
        measured("database restart", &format!("{way:?}: jobs end again ({ended} were delivered)"), finished);
        assert!(accepted <= RESUMES_WITHIN && finished <= RESUMES_WITHIN, "{way:?}: {accepted:?}, {finished:?}");
        all += JOBS + 1;
        done(&database, all, SOON * 2).await;
    }
    let again = database.count("select sum(run - 1) from job").await;
    let delivered: usize = stage.judge.accepted().values().map(|accepted| accepted.times).sum();
    assert_eq!(stage.judge.count(), all);
    assert!(delivered as u64 <= all as u64 + again, "{delivered} deliveries of {all} jobs, {again} ran again");
    stage.stop(workers).await;
}

/// Ends by the database's clock, which does not stop.
async fn succeeded_since(database: &Database, since: Instant) -> u64 {
    let micros = since.elapsed().as_micros();
    database.count(&format!("select count(*) from job where state = 3 and finished_at > flotilla_now() - {micros}")).await
}

/// The server ends every session of the fleet, as an operator does who wants to be rid of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ended_sessions_are_nobodys_loss() {
    const TIMES: usize = 3;
    let servers = chaos::fresh_servers!();
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let worker = stage.fleet.worker(SLOTS).await;
    let api = Api::of(&stage.fleet, &stage.producer);
    for time in 0..TIMES {
        let jobs = stage.submit(JOBS / 3, LATE_MS).await;
        let some: std::collections::BTreeSet<String> = jobs.into_iter().take(1).collect();
        stage.accepted(&some, SOON).await;
        assert!(disconnect(&servers.database).await > 3, "every role had some");
        let gone = Instant::now();
        let (job, key) = (delivery(&stage.judge.late(0), "after"), format!("after-{time}"));
        eventually("jobs are accepted again", RESUMES_WITHIN, async || api.submit(&job, &key).await.status == 202).await;
        measured("database restart", "sessions ended: accepted again", gone.elapsed());
    }
    // An effect whose intent could not be recorded is not made: that costs an attempt, and sends nothing.
    done(&servers.database, TIMES * (JOBS / 3 + 1), SOON * 2).await;
    assert!(stage.judge.accepted().values().all(|accepted| accepted.times == 1), "something was delivered twice");
    assert_eq!(servers.database.count("select sum(crashes) from job").await, 0, "nobody lost a lease");
    stage.stop([worker]).await;
}
