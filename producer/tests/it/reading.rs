//! Looking at jobs: one, its result, its timeline, its logs, and listings.

use std::time::Duration;

use coordination::{Feed, FeedEntry, FeedEvent, FeedId};
use domain::{JobId, Progress};
use serde_json::{Value, json};
use store::{End, LogLine, Mint, Settlement, Store, Work};

use crate::bench::{ANY, Bench, RETENTION};

#[tokio::test]
async fn a_result_is_what_the_job_came_to() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    let path = format!("/v1/jobs/{job}/result");
    let early = b.get(&path).send().await;
    assert_eq!((early.status.as_u16(), early.json()), (202, json!({ "id": job, "state": "queued" })));
    let result = r#"{ "n":1.0, "m":100000000000000000000000 }"#;
    b.succeed(job, result).await;
    let done = b.get(&path).send().await;
    assert_eq!((done.status.as_u16(), done.text(), done.header("content-type")), (200, result, "application/json"));
    let read = b.get(&format!("/v1/jobs/{job}")).send().await;
    assert!(read.text().contains(&format!(r#""result":{result}"#)), "{}", read.text());
    let none = b.submitted().await;
    b.end(none, End::Succeeded { result: None }).await;
    assert_eq!(b.get(&format!("/v1/jobs/{none}/result")).send().await.text(), "null");
}

#[tokio::test]
async fn a_job_without_result_says_why() {
    let b = Bench::new().await;
    let dead = b.submitted().await;
    b.kill(dead).await;
    let cancelled = b.cancelled().await;
    let body = json!({ "kind": ANY, "payload": 1, "expires_at": (b.store.now() + Duration::from_secs(60)).to_string() });
    let expired = b.post("/v1/jobs", &body.to_string()).send().await.json()["id"].as_str().expect("an id").parse::<JobId>().expect("an id");
    b.store.shift_clock(Duration::from_secs(61));
    store::Upkeep::promote(&*b.store, 100).await.expect("promotes");
    for (job, code) in [(dead, "job_dead"), (cancelled, "job_cancelled"), (expired, "job_expired")] {
        let answer = b.get(&format!("/v1/jobs/{job}/result")).send().await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, code));
        assert_eq!(answer.json()["state"].as_str(), code.strip_prefix("job_"));
    }
    let why = b.get(&format!("/v1/jobs/{dead}/result")).send().await.json();
    assert_eq!(
        (why["detail"].as_str(), why["hint"].as_str()),
        (Some("the job is `dead`: the user does not exist (no_such_user)"), Some("check `to`"))
    );
}

#[tokio::test]
async fn an_id_past_retention_is_gone_and_a_young_one_is_not_there() {
    let b = Bench::new().await;
    let status = |id: JobId| {
        let call = b.get(&format!("/v1/jobs/{id}/result"));
        async move { call.send().await.status.as_u16() }
    };
    assert_eq!(status(b.mint.job(b.store.now())).await, 404);
    // A mint of its own, because one never goes back in time.
    assert_eq!(status(Mint::default().job(b.store.now() - RETENTION - Duration::from_secs(1))).await, 410);
    assert_eq!(status(JobId::from_bytes([7; 16])).await, 404, "no time in it");
}

#[tokio::test]
async fn progress_is_as_fresh_as_the_feed() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    let run = b.run(job).await.run;
    let progress = |percent| FeedEvent::Progress(Progress { percent, message: Some("half".to_owned()) });
    b.coordination.append(job, FeedEntry { id: FeedId { run: run - 1, seq: 9 }, event: progress(99) }).await.expect("appends");
    let read = async || b.get(&format!("/v1/jobs/{job}")).send().await.json();
    assert_eq!(read().await["progress"], Value::Null, "an earlier run's progress is not this run's");
    b.coordination.append(job, FeedEntry { id: FeedId { run, seq: 1 }, event: progress(50) }).await.expect("appends");
    let shown = read().await;
    assert_eq!(
        (&shown["progress"], &shown["worker"], &shown["attempt"]),
        (&json!({ "percent": 50, "message": "half" }), &json!(b.worker), &json!(1))
    );
}

#[tokio::test]
async fn timeline_and_logs_tell_the_story() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    assert_eq!(b.get(&format!("/v1/jobs/{job}/logs")).send().await.json(), json!({ "logs": [] }));
    let run = b.run(job).await.run;
    let line = LogLine { at: b.store.now(), level: "info".to_owned(), message: "hello".to_owned() };
    let failure = domain::Failure::transient("http_500", "no");
    let end = End::Retry { at: b.store.now() + Duration::from_secs(60), failure };
    let settlement = Settlement { job, run, end, logs: vec![line], output: Some("out".to_owned()), progress: None };
    b.store.settle(b.worker, &[settlement]).await.expect("settles");
    let timeline = b.get(&format!("/v1/jobs/{job}/timeline")).send().await.json();
    let steps: Vec<_> =
        timeline["timeline"].as_array().expect("a list").iter().map(|step| step["to"].as_str().expect("a state").to_owned()).collect();
    assert_eq!(steps, ["queued", "running", "waiting"], "{timeline}");
    let logs = b.get(&format!("/v1/jobs/{job}/logs")).send().await.json();
    assert_eq!(
        (&logs["logs"][0]["run"], &logs["logs"][0]["lines"][0]["message"], &logs["logs"][0]["output"]),
        (&json!(1), &json!("hello"), &json!("out"))
    );
    for what in ["", "/timeline", "/logs", "/result"] {
        let unknown = b.mint.job(b.store.now());
        assert_eq!(b.get(&format!("/v1/jobs/{unknown}{what}")).send().await.status, 404, "{what}");
    }
}

#[tokio::test]
async fn listings_filter_and_page() {
    let b = Bench::new().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let body = json!({ "kind": ANY, "payload": n, "tags": [if n == 3 { "odd one" } else { "t" }] });
        ids.push(b.post("/v1/jobs", &body.to_string()).send().await.json()["id"].clone());
    }
    ids.reverse();
    let (first, second) = (b.get("/v1/jobs?limit=3").send().await.json(), ());
    let listed = |page: &Value| page["jobs"].as_array().expect("a list").iter().map(|job| job["id"].clone()).collect::<Vec<_>>();
    assert_eq!((listed(&first), second), (ids[..3].to_vec(), ()), "newest first");
    assert!(first["jobs"][0].get("payload").is_none() && first["jobs"][0].get("result").is_none());
    let rest = b.get(&format!("/v1/jobs?limit=3&cursor={}", first["cursor"].as_str().expect("more"))).send().await.json();
    assert_eq!((listed(&rest), &rest["cursor"]), (ids[3..].to_vec(), &Value::Null));
    for (query, count) in [
        ("tag=odd%20one", 1),
        ("tag=odd+one", 1),
        ("state=queued&kind=demo.any&queue=demo", 5),
        ("state=dead", 0),
        ("kind=mail.send", 0),
        ("queue=mail", 0),
        ("created_after=2001-01-01T00:00:00Z", 5),
        ("created_before=2001-01-01T00:00:00Z", 0),
        ("tenant=default", 5),
        ("tenant=other", 0),
    ] {
        assert_eq!(listed(&b.get(&format!("/v1/jobs?{query}")).send().await.json()).len(), count, "{query}");
    }
}

#[tokio::test]
async fn a_listing_refuses_what_it_does_not_know() {
    let b = Bench::new().await;
    for (query, name) in [
        ("q=", "?q"),
        ("states=dead", "?states"),
        ("state=done", "?state"),
        ("state=dead&state=queued", "?state"),
        ("kind=A", "?kind"),
        ("queue=%00", "?queue"),
        ("tag=", "?tag"),
        ("created_after=now", "?created_after"),
        ("limit=0", "?limit"),
        ("limit=201", "?limit"),
        ("limit=-1", "?limit"),
        ("cursor=abc", "?cursor"),
        ("tenant=%ff", "?tenant"),
        ("=", "?"),
    ] {
        let answer = b.get(&format!("/v1/jobs?{query}")).send().await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str(), answer.pointers()),
            (422, "invalid_query", vec![name.to_owned()]),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_listing_tells_all_faults_at_once() {
    let b = Bench::new().await;
    let answer = b.get("/v1/jobs?state=bogus&limit=100000&foo=1&created_after=x&foo=2").send().await;
    let mut pointers = answer.pointers();
    pointers.sort_unstable();
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (422, "invalid_query"));
    assert_eq!(pointers, ["?created_after", "?foo", "?limit", "?state"]);
    let many: String = (0..60).map(|n| format!("&f{n}={n}")).collect();
    assert_eq!(b.get(&format!("/v1/audit?limit=0{many}")).send().await.pointers().len(), 20, "no more than fit");
}
