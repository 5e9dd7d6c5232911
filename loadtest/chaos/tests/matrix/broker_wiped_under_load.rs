//! The broker's disk is wiped while jobs come in at 2 000 a second, 50 000 are queued and workers drain: nothing is lost, and whatever
//! was queued is sent again within a minute of its return. These are the figures for programs that are built for release
//! (`cargo test --release -p chaos`); those for debugging are asked for a part of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::servers::Database;
use testkit::{eventually, within};
use tokio::time::{Instant, MissedTickBehavior, interval};

use chaos::fleet::SOON;
use chaos::orders::plain;
use chaos::stage::Stage;
use chaos::{measured, own_broker};

const ROW: &str = "broker wiped under load";
const BATCH: usize = 500;
/// Two thousand jobs a second, or 500.
const BATCH_EVERY: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 250 });
const QUEUED: u64 = if cfg!(debug_assertions) { 6_000 } else { 50_000 };
/// Two workers with so many drain about as fast as jobs come.
const SLOTS: u32 = if cfg!(debug_assertions) { 25 } else { 100 };
/// Each job takes so long, so that the queue does not run dry before the wipe.
const JOB_MS: u64 = 100;
/// From the moment the broker serves again (issue 5, numbers).
const SENT_WITHIN: Duration = Duration::from_secs(60);
const DRAINED_WITHIN: Duration = Duration::from_secs(240);
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// Submits until it is told to stop, at its pace or as fast as it is answered.
struct Load<'a> {
    stage: &'a Stage,
    body: String,
    paced: AtomicBool,
    accepted: AtomicUsize,
    stopped: AtomicBool,
}

impl<'a> Load<'a> {
    fn new(stage: &'a Stage) -> Self {
        let jobs: Vec<Value> = vec![plain(JOB_MS); BATCH];
        let (paced, accepted, stopped) = Default::default();
        Self { stage, body: json!({ "jobs": jobs }).to_string(), paced, accepted, stopped }
    }

    async fn goes_on(&self) {
        let mut ticks = interval(BATCH_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        while !self.stopped.load(Ordering::Relaxed) {
            if self.paced.load(Ordering::Relaxed) {
                ticks.tick().await;
            } else {
                ticks.reset();
            }
            let answer = self.stage.client.post_text("/v1/jobs/batch", self.body.clone(), None);
            let answer = within("an answer", ANSWERED_WITHIN, answer).await.expect("accepted");
            assert_eq!(answer.status, 202);
            self.accepted.fetch_add(BATCH, Ordering::Relaxed);
        }
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

async fn queued(database: &Database) -> u64 {
    database.count("select count(*) from job where state = 1").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_queued_is_sent_again_within_a_minute() {
    let servers = own_broker!();
    let database = &servers.database;
    let stage = Stage::on(&servers.urls()).await;
    let workers = [stage.fleet.chaos_worker(SLOTS, &[]).await, stage.fleet.chaos_worker(SLOTS, &[]).await];
    let load = Load::new(&stage);
    let faulting = async {
        eventually("enough are queued", SOON * 4, async || {
            let queued = queued(database).await;
            if queued >= QUEUED { Ok(()) } else { Err(format!("{queued} are")) }
        })
        .await;
        load.paced.store(true, Ordering::Relaxed);
        let (before, since) = (load.accepted(), Instant::now());
        servers.rabbit.wipe_and_start().await;
        let served_at = (database.count("select flotilla_now()").await, Instant::now());
        // Ids of emissions are made of their time.
        let newest = database.ask("select max(id::text) from emission").await[0][0].clone();
        let queued_then = queued(database).await;
        assert!(queued_then > 0, "the queue had not run dry");
        let open = format!(
            "select count(*) from emission where id::text <= '{newest}' and (published_at is null or published_at < {})",
            served_at.0
        );
        eventually("whatever was queued is sent again", SENT_WITHIN, async || match database.count(&open).await {
            0 => Ok(()),
            open => Err(format!("{open} rows are not\n{}", stage.scheduler.said())),
        })
        .await;
        let pace = (load.accepted() - before) as f64 / since.elapsed().as_secs_f64();
        let what = format!("{queued_then} queued, {pace:.0} jobs/s submitted: from its return until all were sent again");
        measured(ROW, &what, served_at.1.elapsed());
        load.stopped.store(true, Ordering::Relaxed);
    };
    tokio::join!(load.goes_on(), faulting);

    let jobs = load.accepted() as u64;
    let stopped_at = Instant::now();
    eventually("everything has ended", DRAINED_WITHIN, async || {
        let ended = database.count("select count(*) from job where state = 3").await;
        if ended == jobs { Ok(()) } else { Err(format!("{ended} of {jobs}\n{}", stage.scheduler.said())) }
    })
    .await;
    measured(ROW, &format!("from the end of the load until all {jobs} had ended"), stopped_at.elapsed());
    let figures = database.ask("select count(*), sum(run), sum(crashes) from job").await;
    assert_eq!(figures, [[jobs.to_string(), jobs.to_string(), "0".to_owned()]], "jobs, runs, crashes");
    assert_eq!(database.count("select sum(succeeded) from job_rate").await, jobs, "each success is recorded once");
    stage.stop(workers).await;
}
