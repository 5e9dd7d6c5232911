//! `Idempotency-Key`: one job however often the request is repeated.

use std::sync::Arc;
use std::time::Duration;

use domain::JobId;
use serde_json::json;

use crate::bench::{ANY, Bench};
use crate::double::{IntakeDouble, Writes};

#[tokio::test]
async fn the_same_request_gets_the_same_job_however_it_is_written() {
    let b = Bench::new().await;
    let send = |body: &str| b.post("/v1/jobs", body).header("idempotency-key", "order-7").send();
    let first = send(r#"{"kind":"demo.any","payload":{"a":1,"b":"é"},"tags":["x"]}"#).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (202, ""));
    let again = send("{ \"tags\":[\"x\"],\n\"payload\" : {\"b\":\"\\u00e9\",\"a\":1}, \"kind\":\"demo.any\" }").await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (202, "true"));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.json()["id"], first.json()["id"]);
    for other in [
        r#"{"kind":"demo.any","payload":{"a":2,"b":"é"},"tags":["x"]}"#,
        r#"{"kind":"demo.any","payload":{"a":1,"b":"é"}}"#,
        r#"{"kind":"nope"}"#,
    ] {
        let answer = send(other).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (422, "idempotency_key_reused"));
    }
    assert_eq!(b.jobs().await, 1);
    let day = Duration::from_secs(24 * 3_600 + 1);
    b.store.shift_clock(day);
    assert_eq!(send(r#"{"kind":"demo.any","payload":{}}"#).await.status, 202, "keys are forgotten after a day");
}

/// A repeated request is answered although it would be refused now.
#[tokio::test]
async fn a_repeat_is_not_judged_again() {
    let b = Bench::new().await;
    let soon = (store::Store::now(&*b.store) + Duration::from_secs(60)).to_string();
    let body = json!({ "kind": ANY, "payload": 1, "expires_at": soon }).to_string();
    let first = b.post("/v1/jobs", &body).header("idempotency-key", "k").send().await;
    b.store.shift_clock(Duration::from_secs(3_600));
    assert_eq!(b.post("/v1/jobs", &body).send().await.status, 422, "it has expired by now");
    let again = b.post("/v1/jobs", &body).header("idempotency-key", "k").send().await;
    assert_eq!((again.status.as_u16(), again.json()["id"].clone()), (202, first.json()["id"].clone()));
}

#[tokio::test]
async fn keys_belong_to_tenants() {
    let b = Bench::new().await;
    let other = b.mint_key("other", crate::bench::EVERYTHING).await;
    let body = format!(r#"{{"kind":"{ANY}","payload":1}}"#);
    let ours = b.post("/v1/jobs", &body).header("idempotency-key", "k").send().await;
    let theirs = b.post("/v1/jobs", &body).key(&other).header("idempotency-key", "k").send().await;
    assert_ne!(ours.json()["id"], theirs.json()["id"]);
    assert_eq!(theirs.header("idempotency-replayed"), "");
}

#[tokio::test]
async fn malformed_keys_are_refused() {
    let b = Bench::new().await;
    let body = format!(r#"{{"kind":"{ANY}","payload":1}}"#);
    for bad in ["", "a b", &"x".repeat(201)] {
        for path in ["/v1/jobs", "/v1/jobs/batch"] {
            let answer = b.post(path, &body).header("idempotency-key", bad).send().await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (422, "invalid_idempotency_key"), "{bad}");
        }
    }
    let twice = b.post("/v1/jobs", &body).header("idempotency-key", "a").header("idempotency-key", "a").send().await;
    assert_eq!(twice.status, 422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_with_one_key_make_one_job() {
    let b = Bench::new().await;
    let body = format!(r#"{{"kind":"{ANY}","payload":1}}"#);
    let start = Arc::new(tokio::sync::Barrier::new(16));
    let requests: Vec<_> = (0..16)
        .map(|_| {
            let (call, start) = (b.post("/v1/jobs", &body).header("idempotency-key", "race"), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                let answer = call.send().await;
                assert_eq!(answer.status, 202, "{}", answer.text());
                (answer.json()["id"].as_str().expect("an id").to_owned(), answer.header("idempotency-replayed") == "true")
            })
        })
        .collect();
    let mut answers = Vec::new();
    for request in requests {
        answers.push(request.await.expect("no panic"));
    }
    assert!(answers.iter().all(|(id, _)| *id == answers[0].0));
    assert_eq!(answers.iter().filter(|(_, replayed)| !replayed).count(), 1, "one made it, the others repeated it");
    assert_eq!(b.jobs().await, 1);
}

async fn with_writes(writes: impl FnOnce(JobId) -> Writes) -> Bench {
    Bench::with(|parts| {
        let unreadable = parts.mint.job((parts.clock)());
        parts.intake = Arc::new(IntakeDouble { inner: parts.intake.clone(), writes: writes(unreadable) });
    })
    .await
}

/// The store keeps jobs that a key names; were it to lose one, the caller is not told that there is no such route or job.
#[tokio::test]
async fn a_key_whose_job_cannot_be_read_is_the_stores_to_judge() {
    let body = format!(r#"{{"kind":"{ANY}","payload":1,"unique":{{"key":"u"}}}}"#);
    let taken = with_writes(Writes::Misremembered).await;
    let first = taken.post("/v1/jobs", &body).header("idempotency-key", "k").send().await;
    let again = taken.post("/v1/jobs", &body).header("idempotency-key", "k").send().await;
    assert_eq!((again.status.as_u16(), &again.json()["id"]), (202, &first.json()["id"]), "{}", again.text());
    let dangling = with_writes(Writes::Dangling).await;
    dangling.post("/v1/jobs", &body).header("idempotency-key", "k").send().await;
    for key in ["k", "another, but for the same unique job"] {
        let key = key.replace([' ', ','], "");
        let answer = dangling.post("/v1/jobs", &body).header("idempotency-key", &key).send().await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "job_gone"), "{}", answer.text());
    }
    assert_eq!(dangling.jobs().await, 1);
}
