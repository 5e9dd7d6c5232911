//! Acts on many jobs, and dead letters: listed, grouped, run again.

use std::time::Duration;

use coordination::{Nudge, Nudges};
use serde_json::{Value, json};
use store::Steering;

use crate::bench::{Bench, EVERYTHING};

const SOON: Duration = Duration::from_secs(20);

/// Carries out what was begun, as the duty does.
async fn work(b: &Bench) {
    while b.store.operation_step(500).await.expect("steps").is_some_and(|step| !step.waits) {}
}

async fn begin(b: &Bench, path: &str, body: &Value) -> String {
    let answer = b.post(path, &body.to_string()).send().await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(answer.header("location"), format!("/v1/operations/{id}"));
    id
}

async fn operation(b: &Bench, id: &str) -> Value {
    b.get(&format!("/v1/operations/{id}")).send().await.json()
}

#[tokio::test]
async fn many_jobs_are_cancelled_and_it_can_be_watched() {
    let b = Bench::new().await;
    let jobs = [b.submitted().await, b.submitted().await, b.submitted().await];
    b.succeed(jobs[0], "1").await;
    let mut nudges = b.coordination.listen();
    let id = begin(&b, "/v1/jobs/bulk", &json!({ "action": "cancel", "filter": { "kind": "demo.any" }, "reason": "a mistake" })).await;
    let told = testkit::within("a nudge", SOON, nudges.next()).await;
    assert_eq!(told, Some(Nudge::Operations), "whoever carries it out is told");
    let early = operation(&b, &id).await;
    assert_eq!((&early["state"], &early["done"], &early["finished_at"]), (&json!("running"), &json!(0), &Value::Null), "{early}");
    work(&b).await;
    let done = operation(&b, &id).await;
    assert_eq!(
        (&done["state"], &done["looked_at"], &done["done"], &done["skipped"]),
        (&json!("succeeded"), &json!(3), &json!(2), &json!(1)),
        "{done}"
    );
    assert_eq!((&done["filter"], &done["action"]), (&json!({ "kind": "demo.any" }), &json!("cancel")));
    let listed = b.get("/v1/operations").send().await.json();
    assert_eq!(listed["operations"], json!([done]));
    assert_eq!(b.get(&format!("/v1/jobs/{}", jobs[2])).send().await.json()["state"], "cancelled");
    let audit = b.get(&format!("/v1/audit?target={id}")).send().await.json();
    let actions: Vec<&Value> = audit["audit"].as_array().expect("rows").iter().map(|row| &row["action"]).collect();
    assert_eq!(actions, [&json!("operation.end"), &json!("operation.begin")]);
}

#[tokio::test]
async fn every_act_can_be_done_to_many() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    let state = async || b.get(&format!("/v1/jobs/{job}")).send().await.json();
    let filter = json!({ "q": &job.to_string()[..30] });
    for (body, member, value) in [
        (json!({ "action": "reprioritize", "priority": "low" }), "priority", "low"),
        (json!({ "action": "reschedule", "delay": "1h" }), "state", "waiting"),
        (json!({ "action": "run_now" }), "state", "queued"),
        (json!({ "action": "reschedule", "run_at": "2026-01-01T00:00:00Z" }), "state", "queued"),
        (json!({ "action": "cancel" }), "state", "cancelled"),
        (json!({ "action": "retry" }), "state", "queued"),
    ] {
        let mut whole = body.clone();
        (whole["filter"], whole["reason"]) = (filter.clone(), json!("why not"));
        let id = begin(&b, "/v1/jobs/bulk", &whole).await;
        work(&b).await;
        assert_eq!(operation(&b, &id).await["state"], "succeeded", "{body}");
        assert_eq!(state().await[member], value, "{body}");
    }
}

#[tokio::test]
async fn what_is_not_meant_is_not_begun() {
    let b = Bench::new().await;
    b.submitted().await;
    let rows = [
        ("/v1/jobs/bulk", json!({ "action": "cancel", "filter": {}, "reason": "x" }), vec!["/filter"]),
        ("/v1/jobs/bulk", json!({ "action": "cancel", "filter": { "state": null }, "reason": "x" }), vec!["/filter"]),
        ("/v1/jobs/bulk", json!({ "action": "cancel", "filter": "all", "reason": "x" }), vec!["/filter"]),
        ("/v1/jobs/bulk", json!({ "action": "cancel", "filter": { "colour": "red" }, "reason": "x" }), vec!["/filter/colour"]),
        ("/v1/jobs/bulk", json!({ "action": "cancel", "filter": { "state": "done" }, "reason": "x" }), vec!["/filter/state"]),
        ("/v1/jobs/bulk", json!({ "action": "erase", "filter": { "q": "a" } }), vec!["/action", "/reason"]),
        ("/v1/jobs/bulk", json!({}), vec!["/action", "/filter", "/reason"]),
        ("/v1/jobs/bulk", json!({ "action": "cancel", "filter": { "q": "a" }, "reason": "x", "priority": "low" }), vec!["/priority"]),
        ("/v1/jobs/bulk", json!({ "action": "reprioritize", "filter": { "q": "a" }, "reason": "x" }), vec!["/priority"]),
        ("/v1/jobs/bulk", json!({ "action": "reschedule", "filter": { "q": "a" }, "reason": "x" }), vec!["/run_at"]),
        ("/v1/dead_letters/replay", json!({ "reason": "x" }), vec!["/ids"]),
        ("/v1/dead_letters/replay", json!({ "filter": {}, "reason": "x" }), vec!["/filter"]),
        ("/v1/dead_letters/replay", json!({ "ids": [], "reason": "x" }), vec!["/ids"]),
        ("/v1/dead_letters/replay", json!({ "ids": ["x"], "reason": "x" }), vec!["/ids"]),
        ("/v1/dead_letters/replay", json!({ "filter": { "reason": "y" }, "reason": "x", "canary": 0 }), vec!["/canary"]),
        ("/v1/dead_letters/replay", json!({ "filter": { "reason": "y" }, "reason": "x", "canary": 1_000 }), vec!["/canary"]),
    ];
    for (path, body, pointers) in rows {
        let answer = b.post(path, &body.to_string()).send().await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str(), answer.pointers()),
            (422, "invalid_request", pointers.iter().map(|p| (*p).to_owned()).collect()),
            "{body}"
        );
    }
    let hint = b.post("/v1/jobs/bulk", r#"{"action":"cancel","filter":{},"reason":"x"}"#).send().await;
    assert!(hint.text().contains("created_before"), "{}", hint.text());
    assert_eq!(b.get("/v1/operations").send().await.json(), json!({ "operations": [] }));
}

#[tokio::test]
async fn dead_letters_are_listed_grouped_and_run_again() {
    let b = Bench::new().await;
    let jobs = [b.submitted().await, b.submitted().await, b.submitted().await];
    for job in jobs {
        b.kill(job).await;
    }
    let page = b.get("/v1/dead_letters?limit=2").send().await.json();
    let letters = page["dead_letters"].as_array().expect("a list");
    assert_eq!((letters.len(), &letters[0]["job_id"], &letters[0]["hint"]), (2, &json!(jobs[2]), &json!("check `to`")), "{page}");
    let rest = b.get(&format!("/v1/dead_letters?cursor={}", page["cursor"].as_str().expect("more"))).send().await.json();
    assert_eq!((rest["dead_letters"].as_array().map(Vec::len), &rest["cursor"]), (Some(1), &Value::Null));
    for (query, count) in [
        ("queue=demo&kind=demo.any", 3),
        ("reason=no_such_user", 3),
        ("reason=other", 0),
        ("dead_before=2001-01-01T00:00:00Z", 0),
        ("tenant=other", 0),
    ] {
        let found = b.get(&format!("/v1/dead_letters?{query}")).send().await.json();
        assert_eq!(found["dead_letters"].as_array().map(Vec::len), Some(count), "{query}");
    }
    let groups = b.get("/v1/dead_letters/groups").send().await.json();
    let group = &groups["groups"][0];
    assert_eq!((&group["count"], &group["reason"], &group["sample"]), (&json!(3), &json!("no_such_user"), &json!(jobs[2])), "{groups}");
    let by_id = begin(&b, "/v1/dead_letters/replay", &json!({ "ids": [jobs[0]], "reason": "try one" })).await;
    work(&b).await;
    let shown = operation(&b, &by_id).await;
    assert_eq!((&shown["ids"], &shown["done"]), (&json!([jobs[0]]), &json!(1)), "{shown}");
    let filter = json!({ "fingerprint": group["fingerprint"] });
    let by_filter = begin(&b, "/v1/dead_letters/replay", &json!({ "filter": filter, "canary": 1, "reason": "all of them" })).await;
    work(&b).await;
    let shown = operation(&b, &by_filter).await;
    assert_eq!((&shown["state"], &shown["canary"], &shown["done"]), (&json!("canary"), &json!(1), &json!(1)), "one goes ahead: {shown}");
    assert_eq!(shown["dead_letters"], filter);
}

/// I17: another tenant's operation does not exist, and what it begins touches its own jobs only.
#[tokio::test]
async fn operations_belong_to_their_tenant() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    let foreign = b.mint_key("other", EVERYTHING).await;
    let body = json!({ "action": "cancel", "filter": { "state": "queued" }, "reason": "not mine" });
    let begun = b.post("/v1/jobs/bulk", &body.to_string()).key(&foreign).send().await.json();
    let named = json!({ "ids": [job], "reason": "not mine" });
    let replay = b.post("/v1/dead_letters/replay", &named.to_string()).key(&foreign).send().await.json();
    work(&b).await;
    assert_eq!(b.get(&format!("/v1/jobs/{job}")).send().await.json()["state"], "queued");
    for (begun, looked_at) in [(begun, 0), (replay, 1)] {
        let path = format!("/v1/operations/{}", begun["id"].as_str().expect("an id"));
        assert_eq!(b.get(&path).send().await.status, 404);
        let shown = b.get(&path).key(&foreign).send().await.json();
        assert_eq!((&shown["done"], &shown["looked_at"]), (&json!(0), &json!(looked_at)), "{shown}");
    }
    assert_eq!(b.get("/v1/operations").send().await.json(), json!({ "operations": [] }));
}
