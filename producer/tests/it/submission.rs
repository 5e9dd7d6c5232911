//! `POST /v1/jobs`: what is taken, with which defaults, and what is refused with which pointer.

use std::time::Duration;

use coordination::{Nudge, Nudges};
use domain::{Class, JobState, Priority, QueueName, TenantId};
use serde_json::json;
use store::{Reports, Store};

use crate::bench::{ANY, Bench, MAIL};

#[tokio::test]
async fn a_job_is_taken_with_its_kinds_defaults() {
    let b = Bench::new().await;
    let answer = b.post("/v1/jobs", r#"{"kind":"mail.send","payload":{"to":"a@b.c"}}"#).send().await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let shown = answer.json();
    assert_eq!(answer.header("location"), format!("/v1/jobs/{}", shown["id"].as_str().expect("an id")));
    let id = shown["id"].as_str().expect("an id").parse().expect("an id");
    let job = b.store.job(&TenantId::of("default"), id).await.expect("reads").expect("recorded");
    assert_eq!((job.state, job.queue.as_str(), job.priority), (JobState::Queued, "mail", Priority::Normal));
    assert_eq!((job.max_attempts, job.timeout, &*job.payload), (3, Duration::from_secs(60), r#"{"to":"a@b.c"}"#));
    assert_eq!(b.broker.depth(&Class { queue: QueueName::of("mail"), priority: Priority::Normal }), 1, "the broker was told");
    assert_eq!(b.metrics.jobs_accepted.with_label_values(&["mail", MAIL]).get(), 1);
}

#[tokio::test]
async fn everything_that_can_be_asked_for_is_recorded() {
    let b = Bench::new().await;
    let mut nudges = b.coordination.listen();
    let body = json!({
        "kind": ANY, "payload": [1], "queue": "mail", "priority": "high", "delay": "1h", "expires_at": "2099-01-01T00:00:00Z",
        "max_attempts": 7, "timeout": "90s", "tags": ["a", "b"], "unique": { "key": "u", "for": "5m" }, "group": "g",
        "callback_url": "https://example.com/done?x=1",
    });
    let answer =
        b.post("/v1/jobs", &body.to_string()).header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").send().await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let shown = answer.json();
    assert_eq!((&shown["state"], &shown["waiting_for"]), (&json!("waiting"), &json!("time")));
    let id = shown["id"].as_str().expect("an id");
    let read = b.get(&format!("/v1/jobs/{id}")).send().await.json();
    for (name, expected) in [
        ("queue", json!("mail")),
        ("priority", json!("high")),
        ("max_attempts", json!(7)),
        ("timeout", json!("90s")),
        ("tags", json!(["a", "b"])),
        ("group", json!("g")),
        ("callback_url", json!("https://example.com/done?x=1")),
        ("expires_at", json!("2099-01-01T00:00:00.000000Z")),
        ("trace_id", json!("4bf92f3577b34da6a3ce929d0e0e4736")),
        ("run_at", shown["run_at"].clone()),
    ] {
        assert_eq!(read[name], expected, "{name}");
    }
    assert!(matches!(nudges.next().await, Some(Nudge::Timer { .. })), "the promoter is told of the timer");
}

#[tokio::test]
async fn absent_null_and_past_are_the_defaults() {
    let b = Bench::new().await;
    let body = format!(r#"{{"kind":"{ANY}","payload":null,"queue":null,"priority":null,"run_at":"2001-01-01T00:00:00Z","tags":null}}"#);
    let answer = b.post("/v1/jobs", &body).send().await;
    assert_eq!((answer.status.as_u16(), answer.json()["state"].as_str()), (202, Some("queued")), "{}", answer.text());
}

#[tokio::test]
async fn every_wrong_field_is_refused_with_its_pointer() {
    let b = Bench::new().await;
    let long = "x".repeat(201);
    let far = (b.store.now() + Duration::from_secs(401 * 86_400)).to_string();
    let tags: Vec<String> = (0..17).map(|n| n.to_string()).collect();
    let url = format!("https://example.com/{}", "x".repeat(2_048));
    let rows = [
        (json!({ "nonsense": 1 }), "/nonsense", "invalid_job"),
        (json!({ "a/b~c": 1 }), "/a~1b~0c", "invalid_job"),
        (json!({ "priority": "urgent" }), "/priority", "invalid_job"),
        (json!({ "priority": 3 }), "/priority", "invalid_job"),
        (json!({ "queue": "nowhere" }), "/queue", "unknown_queue"),
        (json!({ "kind": "mail.sent" }), "/kind", "unknown_kind"),
        (json!({ "kind": 7 }), "/kind", "invalid_job"),
        (json!({ "kind": null }), "/kind", "invalid_job"),
        (json!({ "run_at": "tomorrow" }), "/run_at", "invalid_job"),
        (json!({ "run_at": far }), "/run_at", "invalid_job"),
        (json!({ "delay": "401d" }), "/delay", "invalid_job"),
        (json!({ "delay": "soon" }), "/delay", "invalid_job"),
        (json!({ "run_at": "2099-01-01T00:00:00Z", "delay": "1s" }), "/delay", "invalid_job"),
        (json!({ "expires_at": "2001-01-01T00:00:00Z" }), "/expires_at", "invalid_job"),
        (json!({ "delay": "2h", "expires_at": (b.store.now() + Duration::from_secs(3_600)).to_string() }), "/expires_at", "invalid_job"),
        (json!({ "max_attempts": 0 }), "/max_attempts", "invalid_job"),
        (json!({ "max_attempts": 101 }), "/max_attempts", "invalid_job"),
        (json!({ "max_attempts": "3" }), "/max_attempts", "invalid_job"),
        (json!({ "max_attempts": 1.5 }), "/max_attempts", "invalid_job"),
        (json!({ "timeout": "99ms" }), "/timeout", "invalid_job"),
        (json!({ "timeout": "25h" }), "/timeout", "invalid_job"),
        (json!({ "timeout": 30 }), "/timeout", "invalid_job"),
        (json!({ "tags": tags }), "/tags", "invalid_job"),
        (json!({ "tags": ["fine", "x".repeat(65)] }), "/tags/1", "invalid_job"),
        (json!({ "tags": ["\u{0}"] }), "/tags/0", "invalid_job"),
        (json!({ "tags": "a" }), "/tags", "invalid_job"),
        (json!({ "group": long }), "/group", "invalid_job"),
        (json!({ "group": "" }), "/group", "invalid_job"),
        (json!({ "unique": "u" }), "/unique", "invalid_job"),
        (json!({ "unique": {} }), "/unique/key", "invalid_job"),
        (json!({ "unique": { "key": long } }), "/unique/key", "invalid_job"),
        (json!({ "unique": { "key": "u", "for": "0s" } }), "/unique/for", "invalid_job"),
        (json!({ "unique": { "key": "u", "x": 1 } }), "/unique/x", "invalid_job"),
        (json!({ "callback_url": "ftp://example.com" }), "/callback_url", "invalid_job"),
        (json!({ "callback_url": "example.com" }), "/callback_url", "invalid_job"),
        (json!({ "callback_url": "https://user:pw@example.com" }), "/callback_url", "invalid_job"),
        (json!({ "callback_url": url }), "/callback_url", "invalid_job"),
        (json!({ "callback_url": "https://[fe80::1%25eth0]/" }), "/callback_url", "invalid_job"),
        (json!({ "callback_url": "https://exa{mple.com/" }), "/callback_url", "invalid_job"),
        (json!({ "payload": {} }), "/payload/to", "invalid_payload"),
        (json!({ "payload": { "to": "a", "copies": 9 } }), "/payload/copies", "invalid_payload"),
        (json!({ "payload": "text" }), "/payload", "invalid_payload"),
    ];
    for (change, pointer, code) in rows {
        let mut body = json!({ "kind": MAIL, "payload": { "to": "a@b.c" } });
        body.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        let answer = b.post("/v1/jobs", &body.to_string()).send().await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (422, code), "{body} {}", answer.text());
        assert_eq!(answer.pointers(), vec![pointer.to_owned()], "{body} {}", answer.text());
    }
    assert_eq!(b.jobs().await, 0);
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once_and_no_more_than_fits() {
    let b = Bench::new().await;
    let answer = b.post("/v1/jobs", r#"{"kind":"mail.send","priority":"x","timeout":"x","payload":{"copies":0}}"#).send().await;
    let mut pointers = answer.pointers();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/payload/copies", "/payload/to", "/priority", "/timeout"]);
    assert_eq!(answer.code(), "invalid_job");
    let many: String = (0..60).map(|n| format!(r#","f{n}":{n}"#)).collect();
    let answer = b.post("/v1/jobs", &format!(r#"{{"kind":"{ANY}","payload":1{many}}}"#)).send().await;
    assert_eq!(answer.pointers().len(), 20);
}

#[tokio::test]
async fn a_body_that_is_no_object_is_called_a_body() {
    let b = Bench::new().await;
    for (path, body) in [("/v1/jobs", "[]"), ("/v1/jobs/batch", "7"), ("/v1/api_keys", "null")] {
        let answer = b.post(path, body).send().await.json();
        assert_eq!((answer["detail"].as_str(), answer["errors"][0]["pointer"].as_str()), (Some("the body must be an object"), Some("")));
    }
}

#[tokio::test]
async fn near_misses_are_hinted_at() {
    let b = Bench::new().await;
    let hint = |body: &'static str| {
        let call = b.post("/v1/jobs", body);
        async move { call.send().await.json()["hint"].as_str().unwrap_or_default().to_owned() }
    };
    assert_eq!(hint(r#"{"kind":"mial.send","payload":{}}"#).await, "did you mean `mail.send`?");
    assert_eq!(hint(r#"{"kind":"demo.any","payload":{},"queue":"elsewhere"}"#).await, "known are `demo`, `mail`");
}

/// I10: what was sent is not repeated.
#[tokio::test]
async fn refusals_do_not_repeat_values() {
    let b = Bench::new().await;
    for body in [
        r#"{"kind":"mail.send","payload":{"to":"a","mode":"s3cret"}}"#,
        r#"{"kind":"mail.send","payload":"s3cret"}"#,
        r#"{"kind":"mail.send","payload":{"to":["s3cret"]}}"#,
        r#"{"kind":"demo.any","payload":1,"callback_url":"https://u:s3cret@x"}"#,
        r#"{"kind":"demo.any","payload":1,"callback_url":"s3cret"}"#,
        r#"{"kind":"demo.any","payload":1,"group":["s3cret"]}"#,
        r#""s3cret""#,
        r#"{"kind":"demo.any","payload":s3cret}"#,
    ] {
        let answer = b.post("/v1/jobs", body).send().await;
        assert!(answer.status.is_client_error() && !answer.text().contains("s3cret"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_kind_registered_a_moment_ago_is_known_at_once() {
    let b = Bench::new().await;
    assert_eq!(b.post("/v1/jobs", r#"{"kind":"late.kind","payload":1}"#).send().await.code(), "unknown_kind");
    let kinds = store::Intake::kinds(&*b.store).await.expect("kinds");
    let mut late = kinds.into_iter().find(|kind| kind.name.as_str() == ANY).expect("registered");
    late.name = domain::KindName::of("late.kind");
    let registration = store::WorkerRegistration {
        id: b.mint.worker(b.store.now()),
        name: "late".to_owned(),
        host: "h".to_owned(),
        pid: 2,
        slots: 1,
        version: "0".to_owned(),
        kinds: vec![late],
    };
    store::Work::register(&*b.store, &registration).await.expect("registers");
    assert_eq!(b.post("/v1/jobs", r#"{"kind":"late.kind","payload":1}"#).send().await.status, 202);
}

#[tokio::test]
async fn a_schema_that_cannot_be_compiled_is_our_defect_and_fetches_nothing() {
    let b = Bench::new().await;
    let answer = b.post("/v1/jobs", r#"{"kind":"odd.schema","payload":1}"#).send().await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (500, "internal"));
    assert_eq!(b.jobs().await, 0);
}

#[tokio::test]
async fn a_unique_window_answers_with_the_first_job() {
    let b = Bench::new().await;
    let body = format!(r#"{{"kind":"{ANY}","payload":1,"unique":{{"key":"k"}}}}"#);
    let first = b.post("/v1/jobs", &body).send().await.json();
    assert_eq!(first.get("unique_conflict"), None);
    let second = b.post("/v1/jobs", &body).send().await;
    assert_eq!((second.status.as_u16(), &second.json()["id"], &second.json()["unique_conflict"]), (202, &first["id"], &json!(true)));
    assert_eq!(b.jobs().await, 1);
}
