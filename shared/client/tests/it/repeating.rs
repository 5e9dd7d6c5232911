//! What is sent again, under which key, and what is not.

use std::time::{Duration, Instant};

use flotilla_client::{Error, NewJob, Priority};
use serde_json::json;

use crate::server::{Reply, Server, id, job};

fn new_job() -> NewJob {
    NewJob::with_json("k", r#"{ "n" : 1.0 }"#).expect("JSON")
}

/// An answer that got lost is asked for again under the same key; what is sent is the same, byte for byte.
#[tokio::test]
async fn a_submission_is_repeated_under_one_key() {
    let lost = Reply::json(202, &job("queued")).breaking();
    let replayed = Reply::json(202, &job("queued")).header("idempotency-replayed", "true");
    let server = Server::with([Reply::problem(503, "store_unavailable"), lost, Reply::text(502, "<html>"), replayed]).await;
    let answer = server.client().submit(&new_job()).await.expect("accepted in the end");
    assert!(answer.replayed && answer.status == 202 && answer.id == id());
    let asked = server.asked();
    assert_eq!(asked.len(), 4);
    for again in &asked {
        assert_eq!(again.line, "POST /v1/jobs");
        assert_eq!(again.header("idempotency-key"), asked[0].header("idempotency-key"));
        assert_eq!(again.body, r#"{"kind":"k","payload":{ "n" : 1.0 }}"#);
        assert_eq!((again.header("authorization"), again.header("content-type")), ("Bearer flt_secret", "application/json"));
    }
    assert!(asked[0].header("idempotency-key").len() >= 32);
}

#[tokio::test]
async fn each_submission_has_a_key_of_its_own_and_a_given_one_is_kept() {
    let accepted = Reply::json(202, &job("queued"));
    let batch = Reply::json(202, &json!({ "jobs": [{ "id": id(), "idempotency_replayed": true }] }));
    let server = Server::with([accepted.clone(), accepted.clone(), accepted, batch]).await;
    let client = server.client();
    for _ in 0..2 {
        client.submit(&new_job()).await.expect("accepted");
    }
    client.submit(&new_job().idempotency_key("order-7")).await.expect("accepted");
    let lines = client.submit_batch(&[new_job(), new_job().priority(Priority::Low)], Some("batch-1")).await.expect("accepted");
    assert!(lines.jobs[0].idempotency_replayed && lines.jobs[0].state.is_none());
    let asked = server.asked();
    let keys: Vec<&str> = asked.iter().map(|asked| asked.header("idempotency-key")).collect();
    assert_ne!(keys[0], keys[1]);
    assert_eq!(keys[2..], ["order-7", "batch-1"]);
    let batch = r#"{"jobs":[{"kind":"k","payload":{ "n" : 1.0 }},{"kind":"k","payload":{ "n" : 1.0 },"priority":"low"}]}"#;
    assert_eq!(asked[3].body, batch);
}

/// An act may have happened although its answer was lost: it is never sent twice by itself.
#[tokio::test]
async fn an_act_is_sent_once() {
    let refusals = (0..9).map(|_| Reply::problem(503, "store_unavailable"));
    let server = Server::with(refusals).await;
    let client = server.client();
    for n in 1..=4 {
        let error = match n {
            1 => client.cancel(id(), Some("why")).await.expect_err("refused"),
            2 => client.retry(id()).await.expect_err("refused"),
            3 => client.reprioritize(id(), &Priority::High, None).await.expect_err("refused"),
            _ => client.post("/v1/jobs", &json!({ "kind": "k" })).await.expect_err("refused"),
        };
        assert!(error.is_temporary() && error.code() == Some("store_unavailable"), "{error}");
        assert_eq!(server.asked().len(), n);
    }
    let lines = ["cancel", "retry", "reprioritize"].map(|act| format!("POST /v1/jobs/{}/{act}", id()));
    assert_eq!(server.lines()[..3], lines);
    assert_eq!(server.asked()[0].body, r#"{"reason":"why"}"#);
}

#[tokio::test]
async fn a_read_is_repeated_when_that_may_help_and_not_otherwise() {
    let server =
        Server::with([Reply::problem(429, "rate_limited"), Reply::json(200, &job("running")), Reply::problem(404, "not_found")]).await;
    let client = server.client();
    assert_eq!(client.job(id()).await.expect("answered").state.as_str(), "running");
    assert!(client.job(id()).await.expect_err("unknown").is_not_found());
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_client_of_one_try_sends_once() {
    let server = Server::with([Reply::problem(503, "busy")]).await;
    let error = server.builder().tries(1).build().expect("a client").submit(&new_job()).await.expect_err("refused");
    assert_eq!((error.code(), server.asked().len()), (Some("busy"), 1));
}

/// `Retry-After` is heeded: an hour is longer than there is patience, so the refusal is told at once.
#[tokio::test]
async fn a_retry_after_that_is_too_long_is_told_at_once() {
    let server = Server::with([Reply::problem(503, "store_full").header("retry-after", "3600")]).await;
    let started = Instant::now();
    let error = server.client().submit(&new_job()).await.expect_err("refused");
    assert_eq!(error.problem().expect("a problem").retry_after, Some(Duration::from_secs(3_600)));
    assert!(server.asked().len() == 1 && started.elapsed() < Duration::from_secs(10));
}

/// Nobody listens: tries are bounded, and the last failure names the server and not the key.
#[tokio::test]
async fn nobody_there_is_said_after_some_tries() {
    let server = Server::with([]).await;
    let gone = server.client();
    drop(server);
    // The port is free again as soon as the server's task is gone.
    let error = loop {
        match gone.job(id()).await.expect_err("nobody answers") {
            Error::Problem(_) => {}
            error => break error,
        }
    };
    assert!(matches!(error, Error::Unreachable { .. }) && error.is_temporary(), "{error:?}");
    assert!(error.to_string().contains(gone.url()) && !format!("{error:?}").contains("flt_secret"), "{error:?}");
}
