//! The database's host is lost, and a standby takes its place: with everything that was confirmed, or without the last of it.

use std::time::{Duration, Instant};

use testkit::servers::{self, Database, PrivatePostgres, Stop};
use testkit::{FaultProxy, eventually, measured, skip};

use chaos::database::kill;
use chaos::fleet::{SOON, Urls};
use chaos::load::{Load, Pace};
use chaos::stage::Stage;

const SLOTS: u32 = 20;
const PACE: Pace = Pace { clients: 2, every: Duration::from_millis(100), batch: 10 };
/// From the promotion (queue-core, failure matrix: as after a restart).
const RESUMES_WITHIN: Duration = Duration::from_secs(10);
/// Until the new primary has what the old one was asked for: reconciliation and rescue take their time.
const DONE_WITHIN: Duration = Duration::from_secs(120);

/// A primary and a standby with one fleet's database, and the way to them.
struct Pair {
    primary: PrivatePostgres,
    standby: PrivatePostgres,
    before: Database,
    after: Database,
    way: FaultProxy,
}

impl Pair {
    async fn start() -> Option<Self> {
        let primary = PrivatePostgres::start().await?;
        let before = primary.server().fresh_database().await;
        let standby = primary.standby().await;
        let after = before.also_on(&standby.server());
        let way = FaultProxy::start(primary.port()).await;
        Some(Self { primary, standby, before, after, way })
    }

    fn url(&self) -> String {
        servers::through(&self.before.url(), self.way.port())
    }

    /// What the primary confirms, the standby has.
    async fn follow_synchronously(&self) {
        self.before.ask("alter system set synchronous_standby_names = '*'").await;
        self.before.ask("select pg_reload_conf()").await;
        let state = "select sync_state from pg_stat_replication";
        eventually("the standby is synchronous", SOON, async || self.before.ask(state).await == [["sync"]]).await;
    }

    async fn lose_primary(&self) {
        kill(&self.before).await;
        // What is left of it is waited for.
        self.primary.stop(Stop::AtOnce).await;
    }

    /// Since when the standby is the primary, and everybody is led to it.
    async fn promote(&self) -> Instant {
        assert_eq!(self.after.ask("select pg_promote()").await, [["t"]]);
        self.way.retarget(self.standby.port());
        Instant::now()
    }
}

/// I1: a `202` holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_with_a_synchronous_standby() {
    let (Some(rabbit), Some(redis)) = (servers::rabbitmq(), servers::redis()) else { skip!("rabbitmq", servers::HOW) };
    let Some(pair) = Pair::start().await else { skip!("postgres", "PostgreSQL is not installed") };
    let vhost = rabbit.fresh_vhost().await;
    let mut stage = Stage::on(&Urls { database: pair.url(), broker: vhost.url(), redis: redis.url() }).await;
    pair.follow_synchronously().await;
    let workers = [stage.fleet.worker(SLOTS).await, stage.fleet.worker(SLOTS).await];
    let load = Load::start(vec![stage.fleet.client(&stage.producer)], vec![stage.judge.late(200)], PACE);
    eventually("the fleet is at it", SOON, async || load.seen().batches > 20 && stage.judge.count() > 100).await;

    pair.lose_primary().await;
    eventually("submissions are refused", SOON, async || load.seen().refusals.contains_key("503 store_unavailable")).await;
    let before = load.seen().batches;
    let back = pair.promote().await;
    eventually("jobs are accepted again", SOON, async || load.seen().batches > before).await;
    let resumed = back.elapsed();
    measured("failover, synchronous", "accepted again", resumed);
    assert!(resumed <= RESUMES_WITHIN, "{resumed:?}");
    let ended = pair.after.count("select count(*) from job where state = 3").await;
    eventually("jobs end again", SOON, async || pair.after.count("select count(*) from job where state = 3").await > ended).await;
    measured("failover, synchronous", "jobs end again", back.elapsed());
    assert!(back.elapsed() <= RESUMES_WITHIN, "{:?}", back.elapsed());
    eventually("there is load afterwards", SOON, async || load.seen().batches > before + 20).await;
    let seen = load.stop().await;

    chaos::stage::done(&pair.after, seen.ids.len(), DONE_WITHIN).await;
    let found: std::collections::BTreeSet<String> =
        pair.after.ask("select id from job").await.into_iter().map(|mut row| row.remove(0)).collect();
    assert_eq!(found, seen.ids, "exactly what was accepted");
    let crashes = pair.after.count("select sum(run - 1) from job").await;
    let delivered: usize = stage.judge.accepted().values().map(|accepted| accepted.times).sum();
    assert!(delivered as u64 <= seen.ids.len() as u64 + crashes, "{delivered} deliveries of {} jobs, {crashes} again", seen.ids.len());
    stage.stop(workers).await;
}

/// The standby had stopped to follow when the last jobs came. They are gone, which is what an asynchronous standby means (docs/engines.md,
/// *When a server fails*): whatever speaks of them still is noise, is counted, and holds up nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_tail_leaves_nothing_stuck() {
    const JOBS: usize = 30;
    /// More than there are slots: most of them only ever are hints.
    const LOST: usize = 100;
    let (Some(rabbit), Some(redis)) = (servers::rabbitmq(), servers::redis()) else { skip!("rabbitmq", servers::HOW) };
    let Some(pair) = Pair::start().await else { skip!("postgres", "PostgreSQL is not installed") };
    let vhost = rabbit.fresh_vhost().await;
    let mut stage = Stage::on(&Urls { database: pair.url(), broker: vhost.url(), redis: redis.url() }).await;
    let worker = stage.fleet.worker(SLOTS).await;
    let kept = stage.submit(JOBS, 100).await;
    stage.accepted(&kept, SOON).await;
    let caught_up = format!("select count(*) from job where state = 3 having count(*) = {JOBS}");
    eventually("the standby has them", SOON, async || !pair.after.ask(&caught_up).await.is_empty()).await;
    pair.standby.stop(Stop::Gently).await;
    let tail = stage.submit(LOST, 2_000).await;
    eventually("some of the tail run", SOON, async || stage.judge.count() >= JOBS + SLOTS as usize).await;

    pair.lose_primary().await;
    pair.standby.restart().await;
    let back = pair.promote().await;
    let unknown = pair.after.count("select count(*) from job").await;
    assert_eq!(unknown, JOBS as u64, "the tail is gone");
    let more = stage.resubmit(JOBS, 0, RESUMES_WITHIN).await;
    measured("failover, asynchronous", "accepted again", back.elapsed());
    eventually("unknown jobs of hints are dropped and counted", DONE_WITHIN, async || {
        let dropped = worker.metric("flotilla_hints_dropped_total").await;
        if dropped >= (LOST - 2 * SLOTS as usize) as f64 { Ok(()) } else { Err(format!("{dropped}\n{}", worker.said())) }
    })
    .await;
    stage.accepted(&more, DONE_WITHIN).await;
    measured("failover, asynchronous", "new jobs were delivered", back.elapsed());
    eventually("what ran of the tail is given up", DONE_WITHIN, async || worker.metric("flotilla_worker_settle_backlog").await == 0.0)
        .await;
    eventually("nothing is stuck", DONE_WITHIN, async || {
        let states = pair.after.ask("select state, count(*) from job group by state").await;
        let left = pair.after.ask("select count(*) from emission").await;
        if states == [["3", &(2 * JOBS).to_string()]] && left == [["0"]] {
            Ok(())
        } else {
            Err(format!("{states:?} {left:?}\n{}", worker.said()))
        }
    })
    .await;
    let again = stage.judge.accepted().iter().filter(|(id, accepted)| !tail.contains(*id) && accepted.times > 1).count();
    assert_eq!(again, 0, "what was not in the tail was delivered once");
    let answer = stage.client.get(&format!("/v1/jobs/{}", tail.first().expect("one")), &[]).await;
    assert!(matches!(&answer, Err(flotilla_client::Error::Problem(problem)) if problem.status == 404), "{answer:?}");
    stage.stop([worker]).await;
}
