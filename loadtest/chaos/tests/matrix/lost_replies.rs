//! A connection is cut between a commit and its reply: whoever asked does not know, finds out, and nothing is done twice.

use testkit::{Mode, eventually};

use chaos::fleet::{SOON, Urls, batch, ids};
use chaos::fresh_servers;
use chaos::hints::hinted;
use chaos::orders::plain;
use chaos::proxied::Proxied;
use chaos::stage::Stage;

/// More than go by Redis, whatever becomes of the broker.
const JOBS: usize = 10;
/// The number of a batch that is found again on the wire.
const MARKED: usize = 4711;
/// While they run, the test plans what becomes of their end.
const RUN_MS: u64 = 5_000;

/// I14, I15: the client repeats under its key, and gets the jobs that were stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_intake_one_set_of_jobs_is_there() {
    let servers = fresh_servers!();
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let worker = stage.fleet.worker(JOBS as u32).await;
    let (victim, client) = Proxied::producer(&stage.fleet, &servers).await;
    let body = batch(&stage.judge.late(0), MARKED, JOBS);
    let send = async |client: &flotilla_client::Client| client.post_text("/v1/jobs/batch", body.clone(), Some("once")).await;
    victim.database.lose_reply_after(format!("\"batch\":{MARKED}"), "commit");
    let answer = send(&client).await;
    assert!(matches!(&answer, Err(flotilla_client::Error::Problem(problem)) if problem.status == 503), "it is not known: {answer:?}");
    victim.lost().await;
    let rows = servers.database.ask("select id from job order by id").await;
    let stored: Vec<String> = rows.into_iter().map(|mut row| row.remove(0)).collect();
    assert_eq!(stored.len(), JOBS, "it is stored all the same");
    for client in [&client, &stage.client] {
        let mut told = ids(&send(client).await.expect("answered").body);
        told.sort();
        assert_eq!(told, stored, "the same jobs");
    }
    stage.done_once(&servers.database, JOBS, SOON).await;
    stage.stop([worker, victim.process]).await;
}

/// I3: the worker asks what became of its claim, and adopts it; there is no second run, and no lease had to end for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_adopted() {
    let servers = fresh_servers!();
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let mut victim = Proxied::worker(&stage.fleet, &servers, "webhooks-worker", JOBS as u32).await;
    victim.process.guard.pause();
    let jobs = stage.submit(JOBS, 0).await;
    // The first to name a job to the database is its claim.
    victim.database.lose_reply_to(bytes(jobs.first().expect("some")));
    victim.process.guard.resume();
    victim.lost().await;
    stage.accepted(&jobs, SOON).await;
    stage.done_once(&servers.database, JOBS, SOON).await;
    let said = victim.process.log_text();
    assert!(said.contains("outcome is unknown; looking it up"), "the worker did not know: {said}");
    stage.stop([victim.process]).await;
}

/// I3, I5: the worker settles again, and what was recorded the first time counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settle_is_counted_once() {
    let servers = fresh_servers!();
    let stage = Stage::on(&Urls::of(&servers)).await;
    let victim = Proxied::worker(&stage.fleet, &servers, "chaos-worker", JOBS as u32).await;
    let jobs = stage.order(&vec![plain(RUN_MS); JOBS]).await;
    stage.running(&jobs[..1]).await;
    // Its id and then a commit: that is its end.
    victim.database.lose_reply_after(bytes(&jobs[0]), "commit");
    victim.lost().await;
    let ended = servers.database.count(&format!("select count(*) from job where id = '{}' and state = 3", jobs[0])).await;
    assert_eq!(ended, 1, "it is recorded, and the worker does not know");
    let found = stage.succeeded(&jobs, SOON).await;
    assert!(found.iter().all(|job| job["run"] == 1 && job["crashes"] == 0), "{found:?}");
    eventually("nothing waits to be recorded", SOON, async || victim.process.metric("flotilla_worker_settle_backlog").await == 0.0).await;
    let recorded = servers.database.ask("select sum(succeeded), sum(retried), sum(dead) from job_rate").await;
    assert_eq!(recorded, [[JOBS.to_string(), "0".to_owned(), "0".to_owned()]], "each counts once");
    for job in &jobs {
        let story: Vec<_> = stage.steps_by(job, "worker:").await.into_iter().map(|step| step["to"].clone()).collect();
        assert_eq!(story, ["running", "succeeded"], "its story ends once");
    }
    stage.stop([victim.process]).await;
}

/// I1, I16: what the broker took and did not confirm is sent again, and is noise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emission_is_sent_again_and_is_noise() {
    let servers = fresh_servers!();
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    // It makes the kind known, and goes before anything can be taken.
    stage.fleet.worker(1).await.stop().await;
    let victim;
    (victim, stage.client) = Proxied::producer(&stage.fleet, &servers).await;
    let before = victim.deafen();
    let jobs = stage.submit(JOBS, 0).await;
    victim.published(before, JOBS).await;
    let unconfirmed = "select count(*) from emission where published_at is null";
    victim.broker.set(Mode::Cut);
    victim.broker.set(Mode::Pass);
    eventually("what was not confirmed is sent again", SOON, async || servers.database.count(unconfirmed).await == 0).await;
    let hinted = hinted(&servers.vhost).await;
    assert!(hinted > JOBS, "{hinted} hints of {JOBS} jobs");
    let worker = stage.fleet.worker(JOBS as u32).await;
    stage.accepted(&jobs, SOON).await;
    stage.done_once(&servers.database, JOBS, SOON).await;
    // Not all of them: two hints of one job that come together are one.
    eventually("others were dropped", SOON, async || worker.metric("flotilla_hints_dropped_total").await > 0.0).await;
    assert_eq!(servers.database.count("select count(*) from emission").await, 0, "the ledger is empty");
    stage.stop([worker, victim.process]).await;
}

/// An id as it goes over the wire.
fn bytes(id: &str) -> Vec<u8> {
    let digits: Vec<u32> = id.chars().filter_map(|letter| letter.to_digit(16)).collect();
    assert_eq!(digits.len(), 32, "{id} is an id");
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("a byte")).collect()
}
