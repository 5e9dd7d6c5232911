//! Looking from the command line: tables for people, JSON for machines, events as they happen.

use serde_json::{Value, json};
use testkit::receiver::Receiver;

use super::{delayed, ended, said};
use crate::process::{Home, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_shown_as_a_table_and_as_json() {
    let home = Home::new();
    let up = home.up();
    let id = delayed(&home, "looking");
    let rows: [(&[&str], &[&str], &str); 12] = [
        (&["jobs", "list", "--search", "looking"], &["SUBMITTED", &id, "waits for time, in "], "/jobs/0/id"),
        (&["jobs", "show", &id], &["webhooks (normal)", "waiting for time", "https://example.com/", "intake"], "/job/id"),
        (&["jobs", "timeline", &id], &["WAITS FOR", "intake"], "/timeline/0/to"),
        (&["jobs", "logs", &id], &[], "/logs"),
        (&["dead", "list"], &[], "/dead_letters"),
        (&["queues", "list"], &["DONE/MIN", "webhooks"], "/queues/0/name"),
        (&["queues", "show", "webhooks"], &["critical", "bulk"], "/priorities/4/priority"),
        (&["workers", "list"], &["alive", "0/10"], "/workers/0/id"),
        (&["kinds", "list"], &["webhooks.deliver"], "/kinds/0/name"),
        (&["kinds", "show", "webhooks.deliver"], &["max_attempts", "\"properties\""], "/schema/properties"),
        (&["stats"], &["1 with 10 slots", "MEAN WAIT"], "/totals/succeeded"),
        (&["keys", "list"], &["local", "admin"], "/api_keys/0/id"),
    ];
    for (arguments, words, pointer) in rows {
        let output = home.run(arguments);
        let shown = text(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        for word in words {
            assert!(shown.contains(word), "{arguments:?}: `{word}` is missing in:\n{shown}");
        }
        assert!(!shown.contains('\u{1b}'), "{arguments:?}: colours are for terminals: {shown:?}");
        assert!(said(&home, arguments).pointer(pointer).is_some(), "{arguments:?}: {pointer}");
    }
    up.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_followed_to_its_end() {
    let home = Home::new().with("FLOTILLA_WEBHOOKS_ALLOW", "127.0.0.1");
    let up = home.up();
    // The receiver trusts no secret: the delivery is refused for good.
    let receiver = Receiver::start(|_| None).await;
    let job = json!({ "kind": "webhooks.deliver", "delay": "500ms", "payload": { "url": receiver.url("/ok"), "data": 1 } });
    let id = up.client.post("/v1/jobs", &job).await.expect("accepted").body["id"].as_str().expect("an id").to_owned();
    let (code, told) = ended(&home.run(&["--json", "jobs", "tail", &id]));
    assert_eq!(code, Some(1), "{told}");
    let events: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON in each line")).collect();
    let states: Vec<&str> =
        events.iter().filter(|event| event["event"] == "state").filter_map(|event| event["data"]["state"].as_str()).collect();
    assert_eq!((states.first(), states.last()), (Some(&"waiting"), Some(&"dead")), "{told}");
    // It has ended: what is left to say is its end.
    let (code, told) = ended(&home.run(&["jobs", "tail", &id]));
    assert!(code == Some(1) && told.contains(&format!("{id} dead (attempt 1 of")) && told.contains("http_401"), "{told}");
    up.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_is_printed_as_it_is() {
    let home = Home::new().with("FLOTILLA_WEBHOOKS_ALLOW", "127.0.0.1");
    let up = home.up();
    let receiver = crate::cancel::judge(&up.client).await;
    let payload = json!({ "url": receiver.url("/ok"), "data": 1 }).to_string();
    let submitted = home.run(&["submit", "webhooks.deliver", "--payload", &payload, "--watch"]);
    let told = text(&submitted.stdout);
    assert!(submitted.status.success() && told.contains("succeeded"), "{told}{}", text(&submitted.stderr));
    let id = told.split(' ').next().expect("an id").to_owned();
    let result = home.run(&["jobs", "result", &id, "--wait", "30s"]);
    let value: Value = serde_json::from_slice(&result.stdout).expect("JSON");
    assert_eq!(value["status"], 200, "{value}");
    up.stop().await;
}

#[test]
fn nobody_there_is_said_with_what_to_do() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", nobody.local_addr().expect("bound"));
    drop(nobody);
    let home = Home::new().with("FLOTILLA_URL", url.clone()).with("FLOTILLA_KEY", "flt_hunter2");
    let (code, told) = ended(&home.run(&["jobs", "cancel", "0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f"]));
    assert!(code == Some(4) && told.contains(&url) && told.contains("flotilla up") && !told.contains("hunter2"), "{told}");
    let home = Home::new().with("FLOTILLA_URL", "127.0.0.1:8080").with("FLOTILLA_KEY", "flt_hunter2");
    let (code, told) = ended(&home.run(&["jobs", "list"]));
    assert!(code == Some(2) && told.contains("http://127.0.0.1:8080") && !told.contains("hunter2"), "{told}");
}
