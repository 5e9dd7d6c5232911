//! Dead jobs from the command line: seen, grouped, run again.

use serde_json::json;
use testkit::receiver::Receiver;

use super::{ended, said};
use crate::process::{Home, SOON, text, until_ended};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dead_are_listed_grouped_and_replayed_with_a_canary() {
    let home = Home::new().with("FLOTILLA_WEBHOOKS_ALLOW", "127.0.0.1");
    let up = home.up();
    // The receiver trusts no secret: every delivery is refused for good.
    let receiver = Receiver::start(|_| None).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        let job = json!({ "kind": "webhooks.deliver", "payload": { "url": receiver.url("/ok"), "data": n } });
        let id = up.client.post("/v1/jobs", &job).await.expect("accepted").body["id"].as_str().expect("an id").to_owned();
        assert_eq!(testkit::within("it dies", SOON, until_ended(&up.client, &id)).await.expect("answered")["state"], "dead");
        ids.push(id);
    }
    let listed = said(&home, &["dead", "list", "--code", "http_401", "--limit", "2"]);
    assert_eq!((listed["dead_letters"].as_array().map(Vec::len), listed["cursor"].is_string()), (Some(2), true), "{listed:#}");
    let groups = said(&home, &["dead", "groups"]);
    assert_eq!((&groups["groups"][0]["count"], &groups["groups"][0]["reason"]), (&json!(3), &json!("http_401")));
    let fingerprint = groups["groups"][0]["fingerprint"].as_str().expect("a fingerprint");
    let shown = text(&home.run(&["dead", "groups"]).stdout);
    assert!(shown.contains("COUNT") && shown.contains(fingerprint) && shown.contains("http_401"), "{shown}");

    let (code, told) = ended(&home.run(&["dead", "replay", "--reason", "x"]));
    assert!(code == Some(2) && told.contains("every dead job"), "{told}");
    let replay = ["dead", "replay", "--fingerprint", fingerprint, "--canary", "1", "--reason", "mended", "--watch"];
    let (code, told) = ended(&home.run(&replay));
    assert!(code == Some(2) && told.contains("3 dead jobs run again"), "{told}");
    // Nothing was mended: the first dies again, and the others are left alone.
    let (code, told) = ended(&home.run(&[&replay[..], &["--yes"]].concat()));
    assert!(code == Some(1) && told.contains("halted"), "{told}");
    let runs: Vec<u64> = ids.iter().map(|id| said(&home, &["jobs", "show", id])["job"]["run"].as_u64().expect("a number")).collect();
    assert_eq!(runs.iter().sum::<u64>(), 4, "{runs:?}");

    let operation = said(&home, &["dead", "replay", &ids[0], "--reason", "once more"]);
    assert_eq!((&operation["action"], &operation["ids"][0]), (&json!("retry"), &json!(ids[0])), "{operation:#}");
    up.stop().await;
}
