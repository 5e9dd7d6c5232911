//! A producer is killed before it commits, after that, and after it published: the client sees an error and nothing is there; others
//! send what it did not; and what it sent twice runs once.

use std::time::Duration;

use testkit::{Mode, eventually, within};

use chaos::fleet::{SOON, Urls, batch, ids};
use chaos::fresh_servers;
use chaos::hints::{CLASS_QUEUE, hinted};
use chaos::proxied::Proxied;
use chaos::stage::Stage;

/// More than go by Redis, whatever becomes of the broker.
const JOBS: usize = 10;
/// The number of a batch that is found again on the wire.
const MARKED: usize = 4711;
/// From the death (queue-core, failure matrix): what is not confirmed is due after 5 s, and looked for each second.
const RUNS_WITHIN: Duration = Duration::from_secs(7);

/// I14: what is accepted is committed, and nothing else is there: neither jobs nor hints nor the key under which the client asks again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_its_commit_there_is_nothing() {
    let servers = fresh_servers!();
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let worker = stage.fleet.worker(JOBS as u32).await;
    let (mut victim, client) = Proxied::producer(&stage.fleet, &servers).await;
    let body = batch(&stage.judge.late(0), MARKED, JOBS);
    victim.database.hold_back_after(format!("\"batch\":{MARKED}"), "commit");
    let sending = tokio::spawn({
        let body = body.clone();
        async move { client.post_text("/v1/jobs/batch", body, Some("once")).await }
    });
    victim.lost().await;
    victim.process.guard.kill();
    let answer = within("an error", SOON, sending).await.expect("no panic");
    assert!(answer.is_err(), "nothing was accepted: {answer:?}");

    let open = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'";
    eventually("its transaction is over", SOON, async || servers.database.count(open).await == 0).await;
    let stored = "select (select count(*) from job) + (select count(*) from emission) + (select count(*) from job_dedup)";
    assert_eq!(servers.database.count(stored).await, 0, "jobs, emissions, keys");
    assert_eq!(servers.vhost.get(CLASS_QUEUE, 1).await.len(), 0, "hints");
    let again = stage.client.post_text("/v1/jobs/batch", body, Some("once")).await.expect("accepted");
    assert_eq!(ids(&again.body).len(), JOBS);
    stage.done_once(&servers.database, JOBS, SOON).await;
    stage.stop([worker]).await;
}

/// I16: the ledger knows what was not sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_committed_and_did_not_publish_runs_within_seven_seconds() {
    let servers = fresh_servers!();
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let worker = stage.fleet.worker(JOBS as u32).await;
    let mut victim;
    (victim, stage.client) = Proxied::producer(&stage.fleet, &servers).await;
    victim.broker.set(Mode::HalfOpen);
    let jobs = stage.submit(JOBS, 0).await;
    eventually("it has published to nobody", SOON, async || victim.broker.counts().bites > 0).await;
    assert_eq!(servers.database.count("select count(*) from job where run = 0").await, JOBS as u64, "no hint of them was sent yet");
    let died = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    victim.process.guard.kill();

    stage.accepted(&jobs, SOON).await;
    stage.done_once(&servers.database, JOBS, SOON).await;
    let started = Duration::from_micros(servers.database.count("select max(started_at) from job").await);
    let took = started.saturating_sub(died);
    chaos::measured("producer_dies", "what it did not publish runs after its death", took);
    assert!(took <= RUNS_WITHIN, "{took:?}");
    stage.stop([worker]).await;
}

/// I1: a hint is a hint. The broker has it, nobody knows, so it is sent again; the job runs once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_published_unconfirmed_is_hinted_at_twice_and_runs_once() {
    let servers = fresh_servers!();
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    // It makes the kind known, and goes before anything can be taken.
    stage.fleet.worker(1).await.stop().await;
    let mut victim;
    (victim, stage.client) = Proxied::producer(&stage.fleet, &servers).await;
    let before = victim.deafen();
    let jobs = stage.submit(JOBS, 0).await;
    victim.published(before, JOBS).await;
    let unconfirmed = "select count(*) from emission where published_at is null";
    victim.process.guard.kill();

    eventually("others have sent them, and know it", SOON, async || servers.database.count(unconfirmed).await == 0).await;
    let hinted = hinted(&servers.vhost).await;
    assert!(hinted > JOBS, "{hinted} hints of {JOBS} jobs");
    let worker = stage.fleet.worker(JOBS as u32).await;
    stage.accepted(&jobs, SOON).await;
    stage.done_once(&servers.database, JOBS, SOON).await;
    // Not all of them: two hints of one job that come together are one.
    eventually("other hints were dropped", SOON, async || worker.metric("flotilla_hints_dropped_total").await > 0.0).await;
    assert_eq!(servers.vhost.get(CLASS_QUEUE, 1).await.len(), 0, "nothing cycles");
    assert_eq!(servers.database.count("select count(*) from emission").await, 0, "the ledger is empty");
    stage.stop([worker]).await;
}
