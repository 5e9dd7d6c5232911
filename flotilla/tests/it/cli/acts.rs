//! Acts on one job and on many, from the command line.

use std::time::Duration;

use serde_json::{Value, json};

use super::{delayed, ended, said};
use crate::process::{Home, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_job_is_moved_and_run() {
    let home = Home::new();
    let up = home.up();
    let id = delayed(&home, "moved");
    assert_eq!(said(&home, &["jobs", "reprioritize", &id, "critical", "--reason", "vip"])["priority"], "critical");
    let job = said(&home, &["jobs", "show", &id])["job"].clone();
    let due: domain::Timestamp = job["run_at"].as_str().expect("a time").parse().expect("RFC 3339");
    let later = (due + Duration::from_secs(86_400)).to_string();
    let moved = said(&home, &["jobs", "reschedule", &id, "--run-at", &later]);
    assert_eq!((&moved["state"], &moved["run_at"]), (&json!("waiting"), &json!(later)));
    let told = text(&home.run(&["jobs", "reschedule", &id, "--delay", "2h"]).stdout);
    assert!(told.starts_with(&format!("{id} waiting for time, in ")) && told.contains("(critical)"), "{told}");
    assert_ne!(said(&home, &["jobs", "run-now", &id])["state"], "waiting");
    let audit = said(&home, &["audit", "list", "--target", &id]);
    let actions: Vec<&str> = audit["audit"].as_array().expect("rows").iter().filter_map(|row| row["action"].as_str()).collect();
    assert_eq!(actions, ["job.run_now", "job.reschedule", "job.reschedule", "job.reprioritize"]);
    up.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_jobs_are_cancelled_by_one_command_that_wants_to_be_sure() {
    let home = Home::new();
    let up = home.up();
    let ids: Vec<String> = (0..3).map(|_| delayed(&home, "many")).collect();
    let other = delayed(&home, "other");
    let bulk = ["jobs", "bulk", "cancel", "--tag", "many", "--reason", "wrong text"];
    let (code, told) = ended(&home.run(&bulk));
    assert!(code == Some(2) && told.contains("3 jobs match it now") && told.contains("--yes"), "{told}");
    assert_eq!(said(&home, &["jobs", "show", &ids[0]])["job"]["state"], "waiting", "nothing was done");
    let (code, told) = ended(&home.run(&[&bulk[..], &["--yes", "--watch"]].concat()));
    assert!(code == Some(0) && told.contains("cancel succeeded: 3 done, 0 skipped of 3 looked at"), "{told}");
    let listed = said(&home, &["jobs", "list", "--state", "cancelled"]);
    assert_eq!(listed["jobs"].as_array().map(Vec::len), Some(3));
    assert_eq!(said(&home, &["jobs", "show", &other])["job"]["state"], "waiting");
    let operation = said(&home, &["operations", "list"])["operations"][0].clone();
    assert_eq!((&operation["action"], &operation["state"], &operation["done"]), (&json!("cancel"), &json!("succeeded"), &json!(3)));
    let shown = text(&home.run(&["operations", "show", operation["id"].as_str().expect("an id")]).stdout);
    assert!(shown.contains("wrong text") && shown.contains("many"), "{shown}");
    up.stop().await;
}

/// Each is refused before anything is asked of a server, so none is needed.
#[test]
fn a_bulk_act_that_makes_no_sense_is_refused() {
    let home = Home::new().with("FLOTILLA_URL", "http://127.0.0.1:1").with("FLOTILLA_KEY", "flt_x");
    let rows: [(&[&str], &str); 7] = [
        (&["cancel"], "--reason"),
        (&["cancel", "--reason", "x", "--yes"], "every job"),
        (&["reprioritize", "--tag", "a", "--reason", "x"], "--priority"),
        (&["reschedule", "--tag", "a", "--reason", "x"], "--delay"),
        (&["cancel", "--tag", "a", "--reason", "x", "--delay", "1h"], "--delay"),
        (&["retry", "--state", "ded", "--reason", "x"], "dead"),
        (&["obliterate", "--reason", "x"], "cancel"),
    ];
    for (arguments, word) in rows {
        let (code, told) = ended(&home.run(&[&["jobs", "bulk"], arguments].concat()));
        assert!(code == Some(2) && told.contains(word), "{arguments:?}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_state_does_not_allow_is_refused_with_a_code_and_a_hint_of_where_to_look() {
    let home = Home::new();
    let up = home.up();
    let id = delayed(&home, "refused");
    let (code, told) = ended(&home.run(&["jobs", "retry", &id]));
    assert!(code == Some(3) && told.contains("illegal_transition") && told.contains("request "), "{told}");
    let (code, told) = ended(&home.run(&["jobs", "result", &id]));
    assert!(code == Some(4) && told.contains("waiting"), "not yet: {told}");
    assert!(home.run(&["jobs", "cancel", &id]).status.success());
    let (code, told) = ended(&home.run(&["jobs", "result", &id]));
    assert!(code == Some(1) && told.contains("job_cancelled"), "{told}");
    let (code, told) = ended(&home.run(&["jobs", "show", "nonsense"]));
    assert!(code == Some(2) && told.contains("is not an id"), "{told}");
    assert_eq!(said(&home, &["jobs", "retry", &id])["state"], Value::from("queued"));
    up.stop().await;
}
