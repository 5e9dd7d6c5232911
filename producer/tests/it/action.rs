//! Cancel and retry.

use broker::{Broker, Delivery, Subscription};
use coordination::{Nudge, Nudges};
use domain::{Class, Priority, QueueName};
use serde_json::json;

use crate::bench::{Bench, MAIL};

#[tokio::test]
async fn a_queued_job_is_cancelled_at_once_and_a_running_one_is_asked() {
    let b = Bench::new().await;
    let queued = b.submitted().await;
    let answer = b.post(&format!("/v1/jobs/{queued}/cancel"), r#"{"reason":"wrong order"}"#).send().await;
    assert_eq!((answer.status.as_u16(), answer.json()["state"].as_str()), (200, Some("cancelled")), "{}", answer.text());
    let running = b.submitted().await;
    b.run(running).await;
    let mut nudges = b.coordination.listen();
    let answer = b.call("POST", &format!("/v1/jobs/{running}/cancel")).send().await;
    let shown = answer.json();
    assert_eq!((answer.status.as_u16(), shown["state"].as_str(), shown["cancel_requested"].as_bool()), (202, Some("running"), Some(true)));
    assert_eq!(nudges.next().await, Some(Nudge::Cancel { job: running }));
    let again = b.post(&format!("/v1/jobs/{queued}/cancel"), "{}").send().await;
    assert_eq!((again.status.as_u16(), again.code().as_str()), (409, "illegal_transition"));
    assert!(again.json()["detail"].as_str().expect("text").contains("`cancelled`"));
    assert_eq!(again.json()["state"], "cancelled", "programs need not read the sentence");
}

#[tokio::test]
async fn a_dead_job_is_run_again() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    b.kill(job).await;
    let class = Class { queue: QueueName::of("demo"), priority: Priority::Normal };
    let worker = b.broker.subscribe(Subscription::Queues(vec![class.queue.clone()]), 10).await.expect("subscribes");
    worker.take(1).await.expect("takes").into_iter().for_each(Delivery::ack);
    drop(worker);
    let before = b.broker.depth(&class);
    let answer = b.call("POST", &format!("/v1/jobs/{job}/retry")).send().await;
    assert_eq!((answer.status.as_u16(), answer.json()["state"].as_str()), (202, Some("queued")), "{}", answer.text());
    assert_eq!(b.broker.depth(&class), before + 1, "the broker was told");
    let again = b.call("POST", &format!("/v1/jobs/{job}/retry")).send().await;
    assert_eq!((again.status.as_u16(), again.code().as_str()), (409, "illegal_transition"));
    assert!(again.json()["detail"].as_str().expect("text").contains("`queued`"));
}

#[tokio::test]
async fn an_edited_payload_must_fit_the_kind() {
    let b = Bench::new().await;
    let body = json!({ "kind": MAIL, "payload": { "to": "x" } }).to_string();
    let id = b.post("/v1/jobs", &body).send().await.json()["id"].as_str().expect("an id").to_owned();
    let early = b.post(&format!("/v1/jobs/{id}/retry"), r#"{"payload":{"to":"y"}}"#).send().await;
    assert_eq!((early.status.as_u16(), early.code().as_str()), (409, "illegal_transition"));
    assert_eq!(early.json()["state"], "queued");
    assert_eq!(b.call("POST", &format!("/v1/jobs/{id}/cancel")).send().await.status, 200);
    for (body, pointer, code) in [
        (r#"{"payload":{}}"#, "/payload/to", "invalid_payload"),
        (r#"{"payload":{"to":"y","x":1}}"#, "/payload", "invalid_payload"),
        (r#"{"payload":{"to":"y"},"priority":"high"}"#, "/priority", "invalid_request"),
    ] {
        let answer = b.post(&format!("/v1/jobs/{id}/retry"), body).send().await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str(), answer.pointers()[0].as_str()),
            (422, code, pointer),
            "{}",
            answer.text()
        );
    }
    assert_eq!(b.get(&format!("/v1/jobs/{id}")).send().await.json()["state"], "cancelled", "nothing was changed");
    assert_eq!(b.post(&format!("/v1/jobs/{id}/retry"), r#"{"payload":{ "to" : "y" }}"#).send().await.status, 202);
    assert!(b.get(&format!("/v1/jobs/{id}")).send().await.text().contains(r#""payload":{ "to" : "y" }"#));
}

#[tokio::test]
async fn bodies_of_actions_are_optional_and_strict() {
    let b = Bench::new().await;
    for action in ["cancel", "retry"] {
        let job = b.submitted().await;
        if action == "retry" {
            b.kill(job).await;
        }
        let path = format!("/v1/jobs/{job}/{action}");
        for (body, status) in [("null", 422), ("[]", 422), (r#"{"x":1}"#, 422), ("{", 400), (r#"{"reason":1,"payload":1e999}"#, 422)] {
            assert_eq!(b.post(&path, body).send().await.status, status, "{action} {body}");
        }
        assert_eq!(b.call("POST", &path).bytes(b"{}").send().await.status, 415, "a body needs its type");
        assert!(b.post(&path, "").send().await.status.is_success(), "an empty body is none");
        let unknown = b.mint.job(store::Store::now(&*b.store));
        assert_eq!(b.post(&format!("/v1/jobs/{unknown}/{action}"), "{}").send().await.status, 404);
    }
}
