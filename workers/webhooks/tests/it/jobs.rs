//! The handler inside the real engine, against a receiver that judges.

use std::time::Duration;

use broker::Publisher;
use coordination::{Nudge, Nudges};
use domain::{EffectState, EndpointName, JobId, JobState, WorkerId};
use kinds::Deliver;
use runtime::WorkerConfig;
use store::{Access, AuditPage, Claim, EffectCall, EffectEnd, End, Intake, Settlement, Store, Work, WorkerRegistration};
use testkit::receiver::Receiver;

use crate::deliveries::secret;
use crate::engine::{Engine, by, class, tenant};

/// A delivery that an earlier worker began, ended in the ledger as `end`, and gave back.
async fn begun_earlier(engine: &Engine, payload: &str, end: Option<EffectEnd>) -> JobId {
    let now = engine.store.now();
    let worker = engine.mint.worker(now);
    let id = engine.submit(payload).await;
    engine.store.register(&registration(worker)).await.expect("registered");
    let claim = engine.mint.claim(now);
    let claimed =
        engine.store.claim(&Claim { id: claim, worker, class: class(), jobs: vec![id], hints: Vec::new() }).await.expect("claimed");
    let job = claimed.jobs.first().expect("one job");
    let call = EffectCall { worker, job: id, run: job.run, name: "deliver".to_owned(), key: job.stable_key() };
    assert_eq!(engine.store.effect_begin(&call).await.expect("begun"), EffectState::Intent);
    if let Some(end) = end {
        engine.store.effect_end(&call, &end).await.expect("ended");
    }
    let failure = domain::Failure::transient("lost", "the reply was lost");
    let settlement = Settlement {
        job: id,
        run: job.run,
        end: End::Retry { at: engine.store.now(), failure },
        logs: Vec::new(),
        output: None,
        progress: None,
    };
    engine.store.settle(worker, &[settlement]).await.expect("settled");
    id
}

fn registration(id: WorkerId) -> WorkerRegistration {
    let (name, host, version) = ("earlier".to_owned(), "here".to_owned(), "0".to_owned());
    WorkerRegistration { id, name, host, pid: 1, slots: 1, version, kinds: vec![kinds::info_of::<Deliver>()] }
}

fn to(receiver: &Receiver, path: &str) -> String {
    format!(r#"{{"url":"{}","data":{{"a":1.0}}}}"#, receiver.url(path))
}

#[tokio::test]
async fn a_job_becomes_a_signed_delivery_and_its_result_says_so() {
    let (mut engine, receiver) = (Engine::new().await, Receiver::with_secret(secret()).await);
    engine.endpoint("default", None).await;
    engine.start();
    let id = engine.submit(&to(&receiver, "/ok")).await;
    let job = engine.until(id, JobState::Succeeded).await;
    let seen = receiver.ledger().only();
    assert_eq!((seen.accepted, seen.last.header("webhook-id")), (1, id.to_string().as_str()));
    assert_eq!(seen.last.header("traceparent"), job.trace.to_string());
    assert!(job.result.expect("a result").contains(r#""status":200"#));
    engine.stop().await;
}

#[tokio::test]
async fn a_failed_attempt_is_repeated_under_the_same_id_with_a_new_time() {
    let (mut engine, receiver) = (Engine::new().await, Receiver::with_secret(secret()).await);
    engine.endpoint("default", None).await;
    engine.start();
    let id = engine.submit(&to(&receiver, "/fail/1")).await;
    let waiting = engine.until(id, JobState::Waiting).await;
    assert_eq!(waiting.error.expect("an error").code, "http_503");
    let first = receiver.ledger().only().last.header("webhook-timestamp").to_owned();
    engine.store.shift_clock(Duration::from_secs(6));
    let job = engine.until(id, JobState::Succeeded).await;
    let seen = receiver.ledger().only();
    assert_eq!((job.attempt, seen.attempts, seen.accepted, seen.bodies.len()), (2, 2, 1, 1));
    assert_ne!(seen.last.header("webhook-timestamp"), first);
    engine.stop().await;
}

#[tokio::test]
async fn a_rate_limit_costs_no_attempt() {
    let (mut engine, receiver) = (Engine::new().await, Receiver::with_secret(secret()).await);
    engine.endpoint("default", None).await;
    engine.start();
    let id = engine.submit(&to(&receiver, "/rate/1")).await;
    receiver.ledger().until(|totals| totals.attempts == 1).await;
    engine.until(id, JobState::Waiting).await;
    engine.store.shift_clock(Duration::from_secs(2));
    let job = engine.until(id, JobState::Succeeded).await;
    assert_eq!((job.attempt, job.run), (1, 2));
    engine.stop().await;
}

#[tokio::test]
async fn a_confirmed_delivery_is_not_made_again_even_if_its_endpoint_is_gone() {
    let (mut engine, receiver) = (Engine::new().await, Receiver::with_secret(secret()).await);
    let handle = r#"{"status":202,"duration_ms":7,"response":"kept","response_truncated":false}"#.to_owned();
    let payload = to(&receiver, "/ok").replacen('{', r#"{"endpoint":"never-made","#, 1);
    let id = begun_earlier(&engine, &payload, Some(EffectEnd::Confirmed { handle: handle.clone() })).await;
    engine.start();
    let job = engine.until(id, JobState::Succeeded).await;
    assert_eq!(job.result.as_deref(), Some(handle.as_str()));
    assert_eq!(receiver.ledger().totals().attempts, 0);
    engine.stop().await;
}

#[tokio::test]
async fn a_delivery_of_unknown_outcome_is_repeated_under_its_id() {
    let (mut engine, receiver) = (Engine::new().await, Receiver::with_secret(secret()).await);
    engine.endpoint("default", None).await;
    let mut ids = Vec::new();
    for end in [None, Some(EffectEnd::Unknown), Some(EffectEnd::Failed)] {
        ids.push(begun_earlier(&engine, &to(&receiver, "/ok"), end).await);
    }
    engine.start();
    for id in ids {
        engine.until(id, JobState::Succeeded).await;
        assert_eq!(receiver.ledger().entry(&id.to_string()).expect("delivered").accepted, 1);
    }
    engine.stop().await;
}

#[tokio::test]
async fn gone_disables_the_endpoint_and_the_next_job_is_told() {
    let (mut engine, receiver) = (Engine::new().await, Receiver::with_secret(secret()).await);
    engine.endpoint("orders", Some(receiver.url("/status/410"))).await;
    engine.start();
    let payload = r#"{"endpoint":"orders","data":1}"#;
    let id = engine.submit(payload).await;
    assert_eq!(engine.until(id, JobState::Dead).await.error.expect("an error").code, "endpoint_gone");
    let endpoint = engine.store.endpoint(&tenant(), &EndpointName::of("orders")).await.expect("readable").expect("recorded");
    assert!(endpoint.disabled_at.is_some() && endpoint.disabled_reason.is_some());
    let id = engine.submit(payload).await;
    assert_eq!(engine.until(id, JobState::Dead).await.error.expect("an error").code, "endpoint_disabled");
    assert_eq!(receiver.ledger().totals().attempts, 1);
    let page = AuditPage { limit: 10, ..AuditPage::default() };
    let audited = engine.store.audit(&tenant(), &page).await.expect("readable").rows;
    assert!(audited.iter().any(|row| row.actor.starts_with("worker:")), "{audited:?}");
    engine.stop().await;
}

#[tokio::test]
async fn what_can_never_be_delivered_dies_at_once_and_says_why() {
    let (mut engine, receiver) = (Engine::new().await, Receiver::with_secret(secret()).await);
    engine.start();
    let rows = [
        (r#"{"data":1}"#.to_owned(), "invalid_payload"),
        (r#"{"url":"nonsense","data":1}"#.to_owned(), "invalid_payload"),
        (r#"{"endpoint":"missing","data":1}"#.to_owned(), "unknown_endpoint"),
        (r#"{"url":"https://10.0.0.1/","data":1}"#.to_owned(), "target_refused"),
        (to(&receiver, "/ok").replacen('{', r#"{"headers":{"host":"x"},"#, 1), "invalid_payload"),
    ];
    for (payload, code) in rows {
        let id = engine.submit(&payload).await;
        let job = engine.until(id, JobState::Dead).await;
        assert_eq!((job.error.expect("an error").code.as_str(), job.attempt), (code, 1), "{payload}");
    }
    assert_eq!(receiver.ledger().totals().attempts, 0);
    engine.stop().await;
}

/// Standard Webhooks forbids dots in ids; an edited replay is a new webhook all the same.
#[tokio::test]
async fn an_edited_replay_has_an_id_of_its_own_without_a_dot() {
    let (mut engine, receiver) = (Engine::new().await, Receiver::with_secret(secret()).await);
    engine.endpoint("default", None).await;
    engine.start();
    let id = engine.submit(&to(&receiver, "/status/404")).await;
    engine.until(id, JobState::Dead).await;
    let replay = engine.store.retry(&by(), id, Some(to(&receiver, "/ok").into())).await.expect("replayed");
    engine.broker.publish(&replay.emissions).await.expect("published");
    engine.until(id, JobState::Succeeded).await;
    assert_eq!(receiver.ledger().entry(&format!("{id}_r1")).expect("delivered under it").accepted, 1);
    engine.stop().await;
}

/// The receiver may have taken it: the answer is awaited a little, then the outcome is unknown.
#[tokio::test]
async fn a_cancelled_delivery_stops_waiting() {
    /// Half a second is promised to whoever cancels; the rest is the test's own.
    const SOON: Duration = Duration::from_secs(1);
    let (mut engine, receiver) = (Engine::new().await, Receiver::with_secret(secret()).await);
    engine.endpoint("default", None).await;
    engine.start();
    let id = engine.submit(&to(&receiver, "/hang")).await;
    receiver.ledger().until(|totals| totals.attempts == 1).await;
    let asked = engine.store.now();
    engine.store.cancel(&by(), id, None).await.expect("asked");
    engine.shared.nudge(Nudge::Cancel { job: id });
    let job = engine.until(id, JobState::Cancelled).await;
    let took = job.finished_at.expect("it has ended").since(asked);
    assert!(took < SOON, "{took:?}");
    assert_eq!(engine.recorder.ends(), [EffectEnd::Unknown], "written down, not left open");
    engine.stop().await;
}

/// Knowing beats guessing: a receiver that answers soon after the handler was asked to stop, and nobody waits for that, is still heard.
#[tokio::test]
async fn an_answer_that_comes_soon_after_the_stop_of_a_drain_still_counts() {
    let (mut engine, receiver) = (Engine::new().await, Receiver::with_secret(secret()).await);
    engine.endpoint("default", None).await;
    engine.start_as(WorkerConfig { drain_grace: Duration::ZERO, ..WorkerConfig::default() });
    let id = engine.submit(&to(&receiver, "/slow/1000")).await;
    receiver.ledger().until(|totals| totals.attempts == 1).await;
    engine.shutdown.cancel();
    let job = engine.until(id, JobState::Succeeded).await;
    assert_eq!(engine.recorder.ends(), [EffectEnd::Confirmed { handle: job.result.expect("a result").to_string() }]);
    engine.stop().await;
}

/// What the ledger is told decides what the next attempt may assume.
#[tokio::test]
async fn every_outcome_is_told_to_the_effect_ledger() {
    let rows = [
        ("/ok", JobState::Succeeded, EffectEnd::Confirmed { handle: String::new() }),
        ("/status/404", JobState::Dead, EffectEnd::Failed),
        ("/status/503", JobState::Waiting, EffectEnd::Failed),
        ("/drop", JobState::Waiting, EffectEnd::Unknown),
    ];
    for (path, state, expected) in rows {
        let (mut engine, receiver) = (Engine::new().await, Receiver::with_secret(secret()).await);
        engine.endpoint("default", None).await;
        engine.start();
        let id = engine.submit(&to(&receiver, path)).await;
        let job = engine.until(id, state).await;
        let expected = match expected {
            EffectEnd::Confirmed { .. } => EffectEnd::Confirmed { handle: job.result.expect("a result").to_string() },
            other => other,
        };
        assert_eq!(engine.recorder.ends(), [expected], "{path}");
        engine.stop().await;
    }
    let mut engine = Engine::new().await;
    engine.start();
    let id = engine.submit(r#"{"endpoint":"missing","data":1}"#).await;
    engine.until(id, JobState::Dead).await;
    assert_eq!(engine.recorder.ends(), [EffectEnd::Failed], "never sent");
    engine.stop().await;
}
