//! What the broker answers comes seconds late: nothing is sent twice for want of patience, then little, and never more than the window
//! is on its way.

use std::time::Duration;

use testkit::servers::Vhost;
use testkit::{FaultProxy, Mode, Slow, Towards, eventually};
use tokio::time::Instant;

use chaos::fleet::{SOON, Urls};
use chaos::hints::{CLASS_QUEUE, tap, tapped};
use chaos::process::Process;
use chaos::servers::OwnBroker;
use chaos::stage::Stage;
use chaos::{measured, own_broker};

const ROW: &str = "delayed confirms";
/// Below the 5 s after which an emission without a confirmation is sent again, and above them.
const PATIENT: Duration = Duration::from_secs(2);
const IMPATIENT: Duration = Duration::from_secs(8);
const JOBS: usize = 1_500;
const FIRST: usize = 10;
/// Messages sent and not confirmed, of one process.
const WINDOW_MAX: f64 = 1_000.0;
const CONFIRMED_WITHIN: Duration = Duration::from_secs(90);
const DRAINED_WITHIN: Duration = Duration::from_secs(240);

/// Waits until the ledger knows that all was confirmed, with no more on its way than the window ever holds.
async fn confirmed(servers: &OwnBroker, processes: [&Process; 2], widest: &mut f64) {
    eventually("all is confirmed", CONFIRMED_WITHIN, async || {
        for process in processes {
            *widest = widest.max(process.metric("flotilla_broker_unconfirmed").await);
        }
        match servers.database.count("select count(*) from emission where published_at is null").await {
            0 => Ok(()),
            open => Err(format!("{open} are not\n{}", processes[1].said())),
        }
    })
    .await;
}

async fn rows(vhost: &Vhost, expected: usize) {
    eventually("the broker has counted", SOON, async || {
        let held = vhost.queue(CLASS_QUEUE).await.and_then(|queue| queue.messages);
        if held.is_some_and(|held| held >= expected as u64) { Ok(()) } else { Err(format!("{held:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_confirmations_make_no_storm() {
    let servers = own_broker!();
    let vhost = servers.rabbit.server().default_vhost();
    let proxy = FaultProxy::start(servers.rabbit.port()).await;
    let (_, broker) = servers.through(proxy.port());
    let mut stage = Stage::on(&Urls { broker, ..servers.urls() }).await;
    stage.fleet.worker(1).await.stop().await;
    let mut widest = 0.0_f64;
    // Both know the queue from now on: to ask for it takes many answers.
    stage.submit(FIRST, 0).await;
    confirmed(&servers, [&stage.producer, &stage.scheduler], &mut widest).await;
    tap(&vhost).await;

    let late = |by| Mode::Slow(Slow::by(by).towards(Towards::Client));
    proxy.set(late(PATIENT));
    let since = Instant::now();
    stage.submit(JOBS / 3, 0).await;
    confirmed(&servers, [&stage.producer, &stage.scheduler], &mut widest).await;
    measured(ROW, "2 s late: until 500 are confirmed", since.elapsed());
    rows(&vhost, FIRST + JOBS / 3).await;
    let hints = tapped(&vhost).await;
    assert_eq!((hints.jobs.len(), hints.messages), (JOBS / 3, hints.emissions.len()), "each was sent once");

    tap(&vhost).await;
    proxy.set(late(IMPATIENT));
    let since = Instant::now();
    stage.submit(JOBS, 0).await;
    confirmed(&servers, [&stage.producer, &stage.scheduler], &mut widest).await;
    measured(ROW, "8 s late: until 1500 are confirmed", since.elapsed());
    let hints = tapped(&vhost).await;
    assert_eq!(hints.jobs.len(), JOBS);
    assert!(hints.messages <= 3 * hints.emissions.len(), "{} messages for {} emissions", hints.messages, hints.emissions.len());
    measured(ROW, &format!("8 s late: {} messages for {} emissions", hints.messages, hints.emissions.len()), since.elapsed());
    assert!(widest > 0.0 && widest <= WINDOW_MAX, "{widest} were on their way");

    proxy.set(Mode::Pass);
    let worker = stage.fleet.worker(20).await;
    eventually("all have run", DRAINED_WITHIN, async || {
        let states = "select state, count(*), count(distinct emission_id), min(run), max(run) from job group by state";
        let rows = "select published_at is null, tries, count(*), sum(cardinality(job_ids)), min(retry_at) - flotilla_now() from emission group by 1, 2";
        let (jobs, rows) = (servers.database.ask(states).await, servers.database.ask(rows).await);
        let held = vhost.queue(CLASS_QUEUE).await;
        if rows.is_empty() { Ok(()) } else { Err(format!("jobs {jobs:?}, ledger {rows:?}, {held:?}\n{}", stage.scheduler.said())) }
    })
    .await;
    stage.done_once(&servers.database, FIRST + JOBS / 3 + JOBS, SOON * 2).await;
    stage.stop([worker]).await;
}
