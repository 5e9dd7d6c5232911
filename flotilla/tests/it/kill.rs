//! `kill -9`, three times, under load, with a receiver in another process as the judge.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use flotilla::Client;
use serde_json::{Value, json};
use testkit::{ChildGuard, eventually};
use tokio::sync::watch;

use crate::process::{Home, SOON, jobs};

const KILLS: usize = 3;
/// Jobs that must be running at each kill.
const RUNNING_MIN: usize = 5;
const SLOTS: usize = 20;
const BATCHES: usize = 30;
const BATCH: usize = 20;

/// The judge: accepts at once and answers late, so that whatever runs at a kill was accepted and nobody knows.
struct Judge {
    url: String,
    ledger: PathBuf,
    _process: ChildGuard,
}

impl Judge {
    fn start(home: &Home, secret: &str) -> Self {
        let ledger = home.path().join("ledger.jsonl");
        let mut command = Command::new(program());
        let mut process = ChildGuard::spawn(command.arg(secret).arg(&ledger).stdout(Stdio::piped()).stderr(Stdio::null()));
        let mut url = String::new();
        BufReader::new(process.child().stdout.take().expect("piped")).read_line(&mut url).expect("it says where it listens");
        Self { url: url.trim().to_owned(), ledger, _process: process }
    }

    /// How often each webhook id was accepted.
    fn accepted(&self) -> BTreeMap<String, usize> {
        let text = std::fs::read_to_string(&self.ledger).expect("readable");
        // Lines without an id tell that something was answered.
        let ids = text.lines().filter_map(|line| Some(serde_json::from_str::<Value>(line).expect("JSON")["id"].as_str()?.to_owned()));
        ids.fold(BTreeMap::new(), |mut counts, id| {
            *counts.entry(id).or_default() += 1;
            counts
        })
    }
}

/// The judge's program lies beside ours; built now if this is a run of this package alone.
fn program() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_flotilla")).with_file_name("webhook-judge");
    if !program.exists() {
        let built = Command::new(env!("CARGO")).args(["build", "--quiet", "--package", "testkit", "--bin", "webhook-judge"]).status();
        assert!(built.is_ok_and(|status| status.success()), "the judge cannot be built");
    }
    program
}

/// Submits batch after batch under idempotency keys; what was not answered is submitted again when a server is back.
async fn submit_all(mut server: watch::Receiver<Option<Client>>, url: String) -> BTreeSet<String> {
    let mut accepted = BTreeSet::new();
    for batch in 0..BATCHES {
        let job = json!({ "kind": "webhooks.deliver", "payload": { "url": url, "data": { "batch": batch } } });
        let body = json!({ "jobs": vec![job; BATCH] }).to_string();
        loop {
            let client = server.wait_for(Option::is_some).await.expect("the test goes on").clone().expect("a server");
            match client.post_text("/v1/jobs/batch", body.clone(), Some(&format!("batch-{batch}"))).await {
                Ok(answer) => {
                    let jobs = answer.body["jobs"].as_array().expect("a list").clone();
                    accepted.extend(jobs.iter().map(|job| job["id"].as_str().expect("an id").to_owned()));
                    break;
                }
                // Killed under our hands: wait for the next server.
                Err(_) => {
                    let url = client.url().to_owned();
                    server.wait_for(|now| now.as_ref().is_none_or(|now| now.url() != url)).await.expect("the test goes on");
                }
            }
        }
        server.wait_for(|_| true).await.expect("the test goes on");
    }
    accepted
}

/// I14, I3, I6: every accepted job ends once; an unknown delivery is re-sent under the same webhook id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_ends_twice() {
    let home = Home::new().with("FLOTILLA_WEBHOOKS_ALLOW", "127.0.0.1").with("FLOTILLA_WORKER_SLOTS", SLOTS.to_string());
    let mut up = home.up();
    let endpoint = up.client.post("/v1/webhook_endpoints", &json!({ "name": "default" })).await.expect("made").body;
    let judge = Judge::start(&home, endpoint["secret"].as_str().expect("shown"));
    let (servers, server) = watch::channel(Some(up.client.clone()));
    let submitting = tokio::spawn(submit_all(server, format!("{}/late/400", judge.url)));
    for kill in 0..KILLS {
        let mut at_risk = BTreeMap::new();
        // The ledger grows between two kills: each process got something done.
        let before = judge.accepted().len();
        eventually(&format!("kill {kill}: jobs run and some are done"), SOON, async || {
            let running = jobs(&up.client, &[("state", "running")]).await;
            let enough = running.len() >= RUNNING_MIN && judge.accepted().len() >= before + SLOTS;
            let crashes =
                running.iter().map(|job| (job["id"].as_str().expect("an id").to_owned(), job["crashes"].as_u64().expect("a number")));
            if enough {
                at_risk = crashes.collect();
                Ok(())
            } else {
                Err(format!("{} run, {} accepted", running.len(), judge.accepted().len()))
            }
        })
        .await;
        servers.send_replace(None);
        up.child.kill();
        up = home.up();
        assert!(crashed(&up.client, &at_risk).await >= RUNNING_MIN, "kill {kill} met fewer running jobs than it should");
        servers.send_replace(Some(up.client.clone()));
    }
    let accepted = testkit::within("everything is submitted", SOON, submitting).await.expect("the submitter does not panic");
    assert_eq!(accepted.len(), BATCHES * BATCH, "one job per submission, however often it was sent");
    eventually("every job has ended", SOON * 4, async || {
        let open = jobs(&up.client, &[]).await.iter().filter(|job| job["finished_at"].is_null()).count();
        if open == 0 { Ok(()) } else { Err(format!("{open} have not\n{}", home.said())) }
    })
    .await;
    judged(&up.client, &judge, &accepted).await;
    up.stop().await;
}

/// How many of these jobs this kill met while they ran: they have crashed once more than when they were last seen running. A
/// rescue after an earlier kill proves nothing about this one.
async fn crashed(client: &Client, at_risk: &BTreeMap<String, u64>) -> usize {
    eventually("the running jobs are rescued", SOON, async || {
        let mut count = 0;
        for (id, before) in at_risk {
            let job = client.get(&format!("/v1/jobs/{id}"), &[]).await.expect("answered").body;
            count += usize::from(job["crashes"].as_u64().expect("a number") > *before);
        }
        if count >= RUNNING_MIN { Ok(count) } else { Err(format!("{count} of {} crashed", at_risk.len())) }
    })
    .await
}

async fn judged(client: &Client, judge: &Judge, accepted: &BTreeSet<String>) {
    let ended = jobs(client, &[]).await;
    assert_eq!(ended.len(), accepted.len(), "no job that nobody submitted");
    let delivered = judge.accepted();
    let mut lost_workers = 0;
    for job in &ended {
        let id = job["id"].as_str().expect("an id");
        assert!(accepted.contains(id), "{id} was never accepted");
        match job["state"].as_str() {
            Some("succeeded") => assert!(delivered.contains_key(id), "{id} succeeded but was not delivered"),
            // In the hands of three killed processes.
            Some("dead") if job["error"]["code"] == "worker_lost" => lost_workers += 1,
            other => panic!("{id} ended as {other:?}: {job:#}"),
        }
        let timeline = client.get(&format!("/v1/jobs/{id}/timeline"), &[]).await.expect("answered").body;
        let steps = timeline["timeline"].as_array().expect("a list");
        let ends = steps.iter().filter(|step| ["succeeded", "dead", "cancelled", "expired"].iter().any(|end| step["to"] == *end)).count();
        assert_eq!(ends, 1, "{id} ended {ends} times: {timeline:#}");
    }
    assert!(lost_workers <= SLOTS, "{lost_workers} jobs met every kill");
    assert!(delivered.keys().all(|id| accepted.contains(id)), "every webhook id is a job's id");
    let repeated = delivered.values().filter(|count| **count > 1).count();
    assert!(repeated >= 1, "at least one delivery of unknown outcome was re-sent under its id");
    let extra: usize = delivered.values().map(|count| count - 1).sum();
    assert!(extra <= KILLS * SLOTS, "{extra} repeats, more than were in flight at the kills");
}
