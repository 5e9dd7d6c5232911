//! Queues, stats and the pages of the audit log.

use serde_json::{Value, json};

use crate::bench::{Bench, MAIL};

#[tokio::test]
async fn a_queue_is_shown_by_itself() {
    let b = Bench::new().await;
    b.submitted().await;
    let all = b.get("/v1/queues").send().await.json();
    let mut one = b.get("/v1/queues/demo").send().await.json();
    let mut listed = all["queues"][0].clone();
    for queue in [&mut one, &mut listed] {
        queue["oldest_age"].take();
        queue["priorities"][2]["oldest_age"].take();
    }
    assert_eq!(one, listed);
    assert_eq!((&one["depth"], &one["rates"]["succeeded_per_minute"]), (&json!(1), &json!(0.0)));
    assert_eq!(b.get("/v1/queues/mail").send().await.json()["depth"], 0, "an empty queue exists");
    for name in ["nothing", "No", "%00"] {
        assert_eq!(b.get(&format!("/v1/queues/{name}")).send().await.status, 404, "{name}");
    }
}

#[tokio::test]
async fn the_fleet_in_figures() {
    let b = Bench::new().await;
    let (done, dead) = (b.submitted().await, b.submitted().await);
    b.succeed(done, "1").await;
    b.kill(dead).await;
    b.submitted().await;
    let running = b.submitted().await;
    b.run(running).await;
    let stats = b.get("/v1/stats").send().await.json();
    assert_eq!((&stats["window"], &stats["running"], &stats["queued"]), (&json!("1h"), &json!(1), &json!(1)), "{stats}");
    assert_eq!(stats["workers"], json!({ "live": 1, "slots": 10 }));
    let totals = &stats["totals"];
    assert_eq!((&totals["succeeded"], &totals["retried"], &totals["dead"]), (&json!(1), &json!(0), &json!(1)), "{stats}");
    assert!(totals["mean_run"].is_string() && totals["mean_wait"].is_string(), "{stats}");
    assert_eq!(
        (&stats["queues"][0]["queue"], &stats["kinds"][0]["kind"], stats["kinds"][0]["dead"].as_u64()),
        (&json!("demo"), &json!("demo.any"), Some(1))
    );
    let minutes = stats["minutes"].as_array().expect("a list");
    assert_eq!((minutes.len(), minutes.iter().filter_map(|minute| minute["succeeded"].as_u64()).sum::<u64>()), (61, 1));
    assert!(!stats.to_string().contains(MAIL), "what did nothing is not listed");
    for (query, name) in [("window=1m", "?window"), ("window=2d", "?window"), ("window=x", "?window"), ("tenant=default", "?tenant")] {
        let answer = b.get(&format!("/v1/stats?{query}")).send().await;
        assert_eq!((answer.status.as_u16(), answer.pointers()), (422, vec![name.to_owned()]), "{query}");
    }
}

#[tokio::test]
async fn the_audit_log_is_read_by_pages_and_filters() {
    let b = Bench::new().await;
    for _ in 0..3 {
        let job = b.submitted().await;
        assert_eq!(b.call("POST", &format!("/v1/jobs/{job}/cancel")).send().await.status, 200);
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = b.get(&format!("/v1/audit?action=job.cancel&limit=2{cursor}")).send().await.json();
        seen.extend(page["audit"].as_array().expect("rows").iter().map(|row| row["target"].clone()));
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 3);
    let one = b.get(&format!("/v1/audit?target={}", seen[1].as_str().expect("an id"))).send().await.json();
    assert_eq!((one["audit"].as_array().map(Vec::len), &one["audit"][0]["action"]), (Some(1), &json!("job.cancel")));
    assert_eq!(b.get("/v1/audit?actor=nobody").send().await.json(), json!({ "audit": [], "cursor": Value::Null }));
    for query in ["cursor=x", "cursor=-1", "cursor=9999999999999999999", "actor=", "limit=0"] {
        assert_eq!(b.get(&format!("/v1/audit?{query}")).send().await.status, 422, "{query}");
    }
}

/// `q` finds what a person would look for.
#[tokio::test]
async fn jobs_are_found_by_a_text() {
    let b = Bench::new().await;
    let body =
        json!({ "kind": MAIL, "payload": { "to": "a@b.c" }, "tags": ["Nightly run"], "group": "g1", "unique": { "key": "order-77" } });
    let mail = b.post("/v1/jobs", &body.to_string()).send().await.json()["id"].clone();
    let dead = b.submitted().await;
    b.kill(dead).await;
    let mail_id = mail.as_str().expect("an id");
    for (q, found) in [
        ("NIGHTLY", &mail),
        ("order-77", &mail),
        ("mail.s", &mail),
        (&mail_id[..13], &mail),
        ("no_such_user", &json!(dead)),
        ("USER%20does", &json!(dead)),
    ] {
        let page = b.get(&format!("/v1/jobs?q={q}")).send().await.json();
        let ids: Vec<&Value> = page["jobs"].as_array().expect("a list").iter().map(|job| &job["id"]).collect();
        assert!(ids.contains(&found), "{q}: {page}");
        assert!(q.len() == 13 || ids.len() == 1, "{q}: {page}");
    }
    assert_eq!(b.get("/v1/jobs?q=nowhere").send().await.json()["jobs"], json!([]));
}
