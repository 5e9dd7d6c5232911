//! The callback of an ended job is a deliverable payload and tells what was promised, no more.

use std::sync::Arc;
use std::time::Duration;

use domain::{Failure, Job, JobId, JobState, KindName, Priority, QueueName, TenantId, Timestamp, TraceContext};
use kinds::{Deliver, callback_payload};

fn ended() -> Job {
    let at: Timestamp = "2026-11-20T09:00:00Z".parse().expect("a time");
    Job {
        id: "0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f".parse::<JobId>().expect("an id"),
        tenant: TenantId::of("acme"),
        kind: KindName::of("webhooks.deliver"),
        queue: QueueName::of("webhooks"),
        priority: Priority::default(),
        state: JobState::Dead,
        waiting_for: None,
        run: 4,
        attempt: 3,
        max_attempts: 3,
        crashes: 0,
        cancel_requested: false,
        timeout: Duration::from_secs(30),
        created_at: at,
        run_at: at,
        start_before: None,
        started_at: Some(at),
        finished_at: Some(at),
        worker: None,
        progress: None,
        payload: Arc::from(r#"{"private":"payload"}"#),
        result: Some(Arc::from(r#"{"x" : 1}"#)),
        error: Some(Failure::permanent("http_404", "the receiver answered 404")),
        tags: vec!["a".to_owned(), "b".to_owned()],
        group: None,
        callback_url: Some("https://example.com/done".to_owned()),
        trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse::<TraceContext>().expect("a trace"),
    }
}

#[test]
fn it_is_the_golden_text() {
    assert_eq!(callback_payload(&ended()), include_str!("../golden/webhooks.deliver.v1.callback.json").trim_end());
}

#[test]
fn the_result_is_sent_as_it_is_unless_it_is_long_or_no_json() {
    let body_with = |result: &str| {
        let payload = callback_payload(&Job { result: Some(Arc::from(result)), ..ended() });
        serde_json::from_str::<Deliver>(&payload).expect("decodes").body().to_owned()
    };
    assert!(body_with("[1.00, 2]").ends_with(r#""result":[1.00, 2]}}"#));
    let text = |bytes: usize| format!("\"{}\"", "a".repeat(bytes - 2));
    assert!(body_with(&text(64 * 1024)).contains(r#""result":"aaa"#));
    assert!(!body_with(&text(64 * 1024 + 1)).contains("result"));
    assert!(!body_with("{broken").contains("result"));
    assert!(!callback_payload(&ended()).contains("private"), "the payload is nobody's business");
}

#[test]
fn the_type_names_the_end() {
    for state in JobState::TERMINAL {
        let job = Job { state, error: None, ..ended() };
        let payload = callback_payload(&job);
        assert!(payload.contains(&format!(r#""type":"job.{state}""#)) && payload.contains(r#""error":null"#), "{payload}");
    }
}
