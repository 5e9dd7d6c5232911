//! One of three workers is killed while two producers and two schedulers come and go; a receiver in another process judges.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flotilla_client::Client;
use serde_json::Value;
use testkit::servers::Database;
use testkit::{eventually, within};

use chaos::client::jobs;
use chaos::fleet::{Fleet, SOON, Urls, batch, default_secret, ids, running_on, worker_id};
use chaos::fresh_servers;
use chaos::judge::{Accepted, Judge};
use chaos::process::Process;
use chaos::submitter::Submission;

const BATCHES: usize = 40;
const BATCH: usize = 500;
const JOBS: usize = BATCHES * BATCH;
/// Of each worker.
const SLOTS: u32 = 40;
/// Jobs that must be running on the worker that is killed.
const RUNNING_MIN: usize = 5;
/// How late the receiver answers: what was accepted and not answered is what a kill leaves unknown.
const LATE_MS: u32 = 150;
/// How much of the work is done when the worker is killed.
const DONE_BEFORE: usize = JOBS / 5;
/// How long everything may take, on a machine that has other things to do: a minute where it has none, and a rescue alone takes 20 to
/// 25 s.
const DONE_WITHIN: Duration = Duration::from_secs(300);

/// I1, I3, I6, I14, I16: every job ends once, whatever becomes of the processes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_job_ends_once_although_a_worker_is_killed() {
    let servers = fresh_servers!();
    let began = Instant::now();
    let fleet = Fleet::found(&Urls::of(&servers));
    let (mut producers, mut schedulers) = (vec![fleet.producer().await, fleet.producer().await], Vec::new());
    let mut workers = Vec::new();
    for _ in 0..2 {
        schedulers.push(fleet.scheduler().await);
    }
    for _ in 0..3 {
        workers.push(fleet.worker(SLOTS).await);
    }
    let clients: Vec<Client> = producers.iter().map(|producer| fleet.client(producer)).collect();
    let mut judge = Judge::start(fleet.path(), &default_secret(&clients[0]).await);
    let submission = Submission::to(clients);
    let submitting = [0, 1].map(|place| {
        let (submission, url, half) = (Arc::clone(&submission), judge.late(LATE_MS), BATCHES / 2);
        tokio::spawn(async move { submission.submit(place * half..(place + 1) * half, BATCH, &url, place).await })
    });

    replace_producer(&fleet, &mut producers, &submission).await;
    let at_risk = kill_one(&servers.database, &mut judge, &mut workers).await;
    // Whoever is left rescues what the dead worker ran.
    schedulers.remove(0).stop().await;
    schedulers.push(fleet.scheduler().await);
    for clients in submitting {
        within("everything is submitted", SOON, clients).await.expect("a client does not panic");
    }
    let submitted = submission.ids();
    assert_eq!(submitted.len(), JOBS, "one job per item of a batch, however often it was sent");
    let client = fleet.client(&producers[0]);
    repeated(&client, &judge, &submission).await;
    ended(&servers.database, &mut judge, began, &workers).await;

    let rescued = judged(&client, &mut judge, &submitted, &at_risk).await;
    settled_once(&servers.database).await;
    for process in producers.into_iter().chain(schedulers).chain(workers) {
        process.stop().await;
    }
    report(&format!(
        "{JOBS} jobs: {} ran on the killed worker, {} were rescued, {} were delivered twice, {} submissions were repeated; {:.1} s",
        at_risk.len(),
        rescued.len(),
        judge.accepted().values().filter(|accepted| accepted.times > 1).count(),
        *submission.refused.lock(),
        began.elapsed().as_secs_f64()
    ));
}

/// Stops one producer in the midst of the submission, and starts another one.
async fn replace_producer(fleet: &Fleet, producers: &mut Vec<Process>, submission: &Submission) {
    eventually("submission goes on", SOON, async || submission.batches() >= 4).await;
    assert!(submission.batches() < BATCHES, "the producer must be stopped before everything is submitted");
    producers.remove(0).stop().await;
    producers.insert(0, fleet.producer().await);
    submission.producers.lock()[0] = fleet.client(&producers[0]);
}

/// Kills the first worker while it is busy, and returns what ran on it. The dead claim nothing more, and it takes its lease's time
/// until somebody takes its jobs away: what the store says right after the kill was so at the kill.
async fn kill_one(database: &Database, judge: &mut Judge, workers: &mut Vec<Process>) -> BTreeSet<String> {
    let mut victim = workers.remove(0);
    let id = worker_id(database, &victim).await;
    eventually("much is done", DONE_WITHIN, async || {
        let done = judge.count();
        if done >= DONE_BEFORE { Ok(()) } else { Err(format!("{done} were delivered\n{}", victim.said())) }
    })
    .await;
    eventually("the worker is busy", SOON, async || running_on(database, &id).await.len() >= RUNNING_MIN).await;
    victim.guard.kill();
    let at_risk = running_on(database, &id).await;
    assert!(at_risk.len() >= RUNNING_MIN, "only {} jobs ran on the worker when it was killed", at_risk.len());
    at_risk
}

/// A client that does not know whether its batch was taken sends it again, here to another producer, and gets the same jobs.
async fn repeated(client: &Client, judge: &Judge, submission: &Submission) {
    for number in [0, BATCHES - 1] {
        let body = batch(&judge.late(LATE_MS), number, BATCH);
        let again = client.post_text("/v1/jobs/batch", body, Some(&format!("batch-{number}"))).await.expect("answered").body;
        assert_eq!(ids(&again), submission.ids_of(number), "batch {number} was there before");
    }
}

/// Waits until every job has ended.
async fn ended(database: &Database, judge: &mut Judge, began: Instant, workers: &[Process]) {
    let left = || DONE_WITHIN.saturating_sub(began.elapsed()).max(Duration::from_secs(1));
    let said = || workers.iter().map(Process::said).collect::<String>();
    eventually("every job is delivered", left(), async || {
        let delivered = judge.count();
        if delivered == JOBS { Ok(()) } else { Err(format!("{delivered} are\n{}", said())) }
    })
    .await;
    eventually("every job has ended", left(), async || {
        let open = database.ask("select state, count(*) from job where state < 3 group by state").await;
        if open.is_empty() { Ok(()) } else { Err(format!("state, count: {open:?}\n{}", said())) }
    })
    .await;
}

/// By what the API tells and what the judge accepted. Returns the jobs that were rescued.
async fn judged(client: &Client, judge: &mut Judge, submitted: &BTreeSet<String>, at_risk: &BTreeSet<String>) -> BTreeSet<String> {
    let listed: BTreeMap<String, Value> =
        jobs(client, &[]).await.into_iter().map(|job| (job["id"].as_str().expect("an id").to_owned(), job)).collect();
    assert!(listed.keys().eq(submitted), "the API lists {} jobs, {} were submitted", listed.len(), submitted.len());
    let mut rescued = BTreeSet::new();
    for (id, job) in &listed {
        assert_eq!(job["state"], "succeeded", "{job:#}");
        if job["crashes"].as_u64().expect("a number") > 0 {
            rescued.insert(id.clone());
        }
    }
    assert!(!rescued.is_empty(), "no job was rescued");
    assert!(rescued.is_subset(at_risk), "jobs crashed that did not run on the killed worker: {:?}", rescued.difference(at_risk));
    for id in &rescued {
        let timeline = client.get(&format!("/v1/jobs/{id}/timeline"), &[]).await.expect("answered").body;
        let steps = timeline["timeline"].as_array().expect("a list");
        let count = |wanted: &dyn Fn(&Value) -> bool| steps.iter().filter(|step| wanted(step)).count();
        assert_eq!(count(&|step| step["actor"] == "duty:rescue"), 1, "{id} was rescued once: {timeline:#}");
        assert_eq!(count(&|step| step["to"] == "succeeded"), 1, "{id} ended once: {timeline:#}");
    }
    let delivered = judge.accepted();
    assert!(delivered.keys().eq(submitted), "{} webhook ids were delivered", delivered.len());
    for (id, Accepted { times, .. }) in delivered.iter().filter(|(_, accepted)| accepted.times > 1) {
        assert!(rescued.contains(id), "{id} was delivered {times} times, but nobody rescued it");
        assert_eq!(*times, 2, "{id} was rescued once");
    }
    rescued
}

/// Successes are counted in the transactions that record them, so that one that is recorded twice counts twice.
async fn settled_once(database: &Database) {
    let successes = "select coalesce(sum(succeeded), 0) from job_rate";
    assert_eq!(database.count(successes).await, u64::try_from(JOBS).expect("it fits"));
    assert_eq!(
        database
            .count("select coalesce(sum(dead + retried), 0) from job_rate where writer <> '00000000-0000-0000-0000-000000000000'")
            .await,
        0,
        "attempts that failed"
    );
    eventually("the ledger is empty", SOON, async || {
        let rows = database.ask("select queue, prio, tries, published_at, job_ids from emission limit 5").await;
        if rows.is_empty() { Ok(()) } else { Err(format!("{rows:?}")) }
    })
    .await;
    eventually("no claim is left", SOON, async || database.count("select count(*) from claim").await == 0).await;
}

/// A line of its own on standard error, in one piece: what libtest prints goes to the other.
fn report(line: &str) {
    let _written = std::io::stderr().write_all(format!("killed worker: {line}\n").as_bytes());
}
