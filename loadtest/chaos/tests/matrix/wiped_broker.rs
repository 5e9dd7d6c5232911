//! The broker's data goes with 20 000 jobs queued, once while nobody works and once while workers drain: what is still queued is sent
//! again, exactly that, and nothing is lost.

use std::collections::BTreeSet;
use std::time::Duration;

use flotilla_client::Client;
use testkit::servers::{self, Database, PrivateRabbit, Vhost};
use testkit::{FaultProxy, Mode, eventually, skip};

use chaos::fleet::{Fleet, Urls, default_secret};
use chaos::hints::{CLASS_QUEUE, tap, tapped};
use chaos::judge::Judge;
use chaos::process::Process;
use chaos::submitter::Submission;

const BATCHES: usize = 10;
const BATCH: usize = 2_000;
const JOBS: usize = BATCHES * BATCH;
/// Jobs that are cancelled before the wipe, and must not come back.
const CANCELLED: usize = 10;
const SLOTS: u32 = 40;
/// Until everything is sent again.
const SENT_WITHIN: Duration = Duration::from_secs(120);
const DRAINED_WITHIN: Duration = Duration::from_secs(300);
/// I16: `queued` always has a row in the ledger, and the ledger is what the broker must be holding.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_still_queued_is_sent_again_and_nothing_else() {
    let (Some(postgres), Some(redis)) = (servers::postgres(), servers::redis()) else { skip!("postgres", servers::HOW) };
    let Some(rabbit) = PrivateRabbit::start().await else { skip!("rabbitmq", "RabbitMQ is not installed") };
    let database = postgres.fresh_database().await;
    // Holds clients back until everything is ready to see what they do.
    let proxy = FaultProxy::start(rabbit.port()).await;
    let broker = servers::through(&rabbit.url(), proxy.port());
    let fleet = Fleet::found(&Urls { database: database.url(), broker, redis: redis.url() });
    let vhost = rabbit.server().default_vhost();
    // Only now a kind of job is known.
    fleet.worker(SLOTS).await.stop().await;
    let (producer, schedulers) = (fleet.producer().await, [fleet.scheduler().await, fleet.scheduler().await]);
    let client = fleet.client(&producer);
    let mut judge = Judge::start(fleet.path(), &default_secret(&client).await);

    let queued = queue_up(&client, &judge, &database).await;
    is_sent(&database, 0).await;
    let wiped_at = now(&database).await;
    proxy.set(Mode::Cut);
    rabbit.wipe_and_start().await;
    tap(&vhost).await;
    proxy.set(Mode::Pass);
    is_declared_anew(&vhost).await;
    is_sent(&database, wiped_at).await;
    holds_exactly(&database, &vhost, &queued).await;

    let workers = [fleet.worker(SLOTS).await, fleet.worker(SLOTS).await];
    eventually("the workers drain", DRAINED_WITHIN, async || judge.count() >= JOBS / 10).await;
    rabbit.wipe_and_start().await;
    let done = judge.count();
    assert!(done < JOBS / 2, "{done} were done before the broker was wiped under load");
    drained(&database, &mut judge, &queued, &workers).await;
    for process in [producer].into_iter().chain(schedulers).chain(workers) {
        process.stop().await;
    }
}

/// Submits everything and cancels a few. Returns what is still queued.
async fn queue_up(client: &Client, judge: &Judge, database: &Database) -> BTreeSet<String> {
    let submission = Submission::to(vec![client.clone()]);
    submission.submit(0..BATCHES, BATCH, &judge.late(0), 0).await;
    let mut queued = submission.ids();
    assert_eq!(queued.len(), JOBS);
    for id in queued.iter().step_by(JOBS / CANCELLED).cloned().collect::<Vec<_>>() {
        client.post(&format!("/v1/jobs/{id}/cancel"), &serde_json::json!({})).await.expect("cancelled");
        queued.remove(&id);
    }
    let stored = database.ask("select id from job where state = 1").await;
    assert!(stored.into_iter().map(|mut row| row.remove(0)).eq(queued.iter().cloned()), "the store has queued what was submitted");
    queued
}

/// The database's clock, which the ledger's times are of.
async fn now(database: &Database) -> u64 {
    database.count("select flotilla_now()").await
}

/// Waits until the broker has confirmed whatever the ledger lists, and since then.
async fn is_sent(database: &Database, since: u64) {
    let question = format!("select count(*) from emission where published_at is null or published_at < {since}");
    eventually("everything in the ledger is sent and confirmed", SENT_WITHIN, async || match database.count(&question).await {
        0 => Ok(()),
        open => Err(format!("{open} rows of the ledger are not")),
    })
    .await;
}

/// Waits for the queues that an empty broker cannot have.
async fn is_declared_anew(vhost: &Vhost) {
    eventually("the queues are there again", SENT_WITHIN, async || {
        let there: BTreeSet<String> = vhost.queues().await.into_iter().map(|queue| queue.name).collect();
        let wanted = (0..5).map(|class| format!("flotilla.v1.webhooks.p{class}")).chain(["flotilla.v1.dead.webhooks".to_owned()]);
        let missing: Vec<String> = wanted.filter(|name| !there.contains(name)).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?} are missing")) }
    })
    .await;
}

/// Compares, row for row: what is queued, what the ledger lists, and what the broker holds.
async fn holds_exactly(database: &Database, vhost: &Vhost, queued: &BTreeSet<String>) {
    let listed = rows(database, "select id from emission").await;
    let jobs = rows(database, "select unnest(job_ids) from emission").await;
    assert!(jobs == *queued, "the ledger lists {} jobs, {} are queued", jobs.len(), queued.len());
    eventually("the broker has counted", SENT_WITHIN, async || {
        let held = vhost.queue(CLASS_QUEUE).await.and_then(|queue| queue.messages);
        if held == Some(listed.len() as u64) { Ok(()) } else { Err(format!("it holds {held:?} messages, the ledger {}", listed.len())) }
    })
    .await;
    let hints = tapped(vhost).await;
    let (missing, more) = (queued.difference(&hints.jobs).count(), hints.jobs.difference(queued).count());
    assert_eq!((missing, more), (0, 0), "queued jobs that the broker has no hint of, and others that it has");
    assert!(hints.emissions == listed, "the ledger has {} rows, the broker {} different messages", listed.len(), hints.emissions.len());
    assert_eq!(hints.messages, listed.len(), "each row was sent once");
}

async fn rows(database: &Database, question: &str) -> BTreeSet<String> {
    database.ask(question).await.into_iter().map(|mut row| row.remove(0)).collect()
}

/// Waits until everything that was queued is done, and looks that it was done once, and nothing else.
async fn drained(database: &Database, judge: &mut Judge, queued: &BTreeSet<String>, workers: &[Process]) {
    eventually("everything has ended", DRAINED_WITHIN, async || {
        let delivered = judge.count();
        let open = if delivered < queued.len() { 1 } else { database.count("select count(*) from job where state < 3").await };
        let said = || workers.iter().map(Process::said).collect::<String>();
        if open == 0 { Ok(()) } else { Err(format!("{delivered} of {} were delivered, {open} are open\n{}", queued.len(), said())) }
    })
    .await;
    let delivered = judge.accepted();
    assert!(delivered.keys().eq(queued), "{} webhook ids were delivered, {} were queued", delivered.len(), queued.len());
    assert!(delivered.values().all(|accepted| accepted.times == 1), "a hint that came twice was a delivery that came twice");
    let states = database.ask("select state, count(*), sum(crashes) from job group by state order by state").await;
    assert_eq!(states, [["3", &queued.len().to_string(), "0"], ["5", &CANCELLED.to_string(), "0"]], "state, jobs, crashes");
    let successes = database.count("select sum(succeeded) from job_rate").await;
    assert_eq!(successes, u64::try_from(queued.len()).expect("it fits"), "each success is recorded once");
}
