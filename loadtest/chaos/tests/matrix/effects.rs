//! A worker is killed before, during and after effects: none is sent again after its confirmation, none of unknown outcome blindly.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{FaultProxy, Mode, eventually};
use url::Url;

use chaos::fleet::{SOON, Urls, worker_id};
use chaos::fresh_servers;
use chaos::judge::Judge;
use chaos::orders::{early_effect, effect, job};
use chaos::stage::Stage;

const SLOTS: u32 = 20;
const KINDS: [&str; 3] = ["repeat", "verify", "hold"];
/// How late the judge answers, and when the effects begin that the kill comes before: the worker does not live so long.
const LATER_MS: u64 = 15_000;
const MUCH_LATER_MS: u64 = 300_000;
/// The rescuer is quiet for 40 s after its start.
const RESCUED_WITHIN: Duration = Duration::from_secs(75);

/// I6: each kind's policy decides what becomes of an effect whose outcome nobody knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn effects_survive_a_kill_as_their_kinds_say() {
    let servers = fresh_servers!();
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let lost = FaultProxy::start(Url::parse(&stage.judge.url("")).expect("a URL").port().expect("a port")).await;
    let mut victim = stage.fleet.chaos_worker(SLOTS, &[]).await;
    let id = worker_id(&servers.database, &victim).await;
    let unanswered = stage.order(&KINDS.map(|kind| effect(kind, &stage.judge, LATER_MS))).await;
    let confirmed = stage.order(&KINDS.map(|kind| early_effect(kind, &stage.judge, MUCH_LATER_MS))).await;
    // Taken by the network, never given to the judge.
    lost.set(Mode::HalfOpen);
    let swallowed = stage.order(&[job("verify", &json!({ "judge": format!("http://127.0.0.1:{}", lost.port()) }))]).await;
    until_made(&mut stage.judge, &[&unanswered[..], &confirmed].concat()).await;
    let intents = "select count(*) from effect where state = 0";
    let confirms = "select count(*) from effect where state = 1";
    eventually("each is at its point", SOON, async || {
        let found = (servers.database.count(intents).await, servers.database.count(confirms).await);
        if found == (4, 3) { Ok(()) } else { Err(format!("intents, confirmed: {found:?}\n{}", victim.said())) }
    })
    .await;
    let payload = json!({ "judge": stage.judge.url(""), "before_ms": LATER_MS });
    let unbegun = stage.order(&KINDS.map(|kind| job(kind, &payload))).await;
    assert_eq!(stage.running(&unbegun).await, id);

    victim.guard.kill();
    lost.set(Mode::Pass);
    let made_before = stage.judge.count();
    assert_eq!(made_before, 6, "no other effect was begun before the kill");
    let heir = stage.fleet.chaos_worker(SLOTS, &[]).await;
    let results = |jobs: Vec<Value>| jobs.into_iter().map(|job| job["result"].as_str().expect("text").to_owned()).collect::<Vec<_>>();
    let done = [&unanswered[..2], &confirmed, &swallowed, &unbegun].concat();
    let done = results(stage.succeeded(&done, RESCUED_WITHIN + SOON).await);
    let expected = ["run 2", "verified", "run 1", "run 1", "run 1", "run 2", "run 2", "run 2", "run 2"];
    assert_eq!(done, expected, "who made the effect that counts");
    let held = stage.until("it waits for a person", &unanswered[2..], SOON, |job| job["waiting_for"] == "signal").await;
    assert_eq!(held[0]["error"]["code"], "effect_unknown", "{:#}", held[0]);
    let repeated: Vec<_> =
        stage.judge.accepted().iter().filter(|(_, made)| made.times > 1).map(|(id, made)| (id.clone(), made.times)).collect();
    assert_eq!(repeated, [(unanswered[0].clone(), 2)], "under the same key, and no other");
    assert_eq!(stage.judge.count(), 10, "one key per job");

    resolved(&mut stage, &unanswered[2]).await;
    stage.stop([heir]).await;
}

/// A person has found out that it did not happen: cancels the job, and replays it edited, which gives it a new key.
async fn resolved(stage: &mut Stage, held: &str) {
    let cancelled = stage.client.post(&format!("/v1/jobs/{held}/cancel"), &json!({})).await.expect("answered").body;
    assert_eq!(cancelled["state"], "cancelled", "{cancelled:#}");
    let edited = json!({ "payload": { "judge": stage.judge.url(""), "answer_ms": 1 } });
    stage.client.post(&format!("/v1/jobs/{held}/retry"), &edited).await.expect("replayed");
    stage.succeeded(&[held.to_owned()], SOON).await;
    let made = stage.judge.accepted();
    assert_eq!((made[held].times, made[&format!("{held}.r1")].times), (1, 1));
}

/// Waits until the judge has written down an effect of each of these jobs.
async fn until_made(judge: &mut Judge, jobs: &[String]) {
    eventually("the judge has them", SOON, async || {
        let made = judge.accepted();
        let missing = jobs.iter().filter(|id| !made.contains_key(*id)).count();
        if missing == 0 { Ok(()) } else { Err(format!("{missing} of {} are missing", jobs.len())) }
    })
    .await;
}
