//! Answers that are larger, newer or stranger than expected.

use std::time::Duration;

use flotilla_client::{Error, JobFilter, NewJob, OperationState, Outcome, Priority, State};
use serde_json::{Value, json};

use crate::server::{Reply, Server, id, job};

#[tokio::test]
async fn a_problem_is_told_with_all_it_says() {
    let body = json!({
        "status": 422, "code": "invalid_payload", "title": "T", "detail": "two things", "hint": "mend them", "request_id": "r-9",
        "errors": [{ "pointer": "/payload/to", "message": "is missing" }, { "pointer": "/payload/n", "message": "is not a number" }],
        "of_tomorrow": true,
    });
    let server = Server::with([Reply::json(422, &body)]).await;
    let error = server.client().submit(&NewJob::with_json("k", "{}").expect("JSON")).await.expect_err("refused");
    let problem = error.problem().expect("a problem");
    assert_eq!((problem.status, problem.code.as_str(), problem.hint.as_deref()), (422, "invalid_payload", Some("mend them")));
    assert_eq!((problem.errors.len(), problem.errors[1].pointer.as_str()), (2, "/payload/n"));
    assert_eq!(error.to_string(), "two things (code invalid_payload, request r-9)");
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn what_a_newer_server_says_is_kept() {
    let mut newer = job("hibernating");
    newer["waiting_for"] = json!("spring");
    newer["priority"] = json!("cosmic");
    let operation =
        json!({ "id": id(), "action": "cancel", "state": "thinking", "created_at": "2026-11-20T10:00:00Z", "filter": { "kind": "k" } });
    let server = Server::with([Reply::json(200, &newer), Reply::json(200, &operation)]).await;
    let client = server.client();
    let found = client.job(id()).await.expect("read");
    assert_eq!((&found.state, &found.priority), (&State::Other("hibernating".to_owned()), &Priority::Other("cosmic".to_owned())));
    assert!(!found.state.is_end() && found.text().contains("of_tomorrow"));
    let operation = client.operation(id()).await.expect("read");
    assert_eq!(operation.state, OperationState::Other("thinking".to_owned()));
    assert_eq!(operation.rest["filter"], json!({ "kind": "k" }));
}

#[tokio::test]
async fn a_stranger_is_recognized() {
    let replies = [
        Reply::text(200, "<html>welcome</html>"),
        Reply::text(404, "<html>no</html>"),
        Reply::text(301, "").header("location", "http://x/"),
    ];
    let server = Server::with(replies).await;
    let client = server.builder().tries(1).build().expect("a client");
    for status in [200, 404, 301] {
        match client.job(id()).await.expect_err("not ours") {
            Error::Unexpected { status: found, url, .. } => assert_eq!((found, url.as_str()), (status, client.url())),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(server.asked().len(), 3, "a redirect is not followed: it would carry the key away");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read_to_its_end() {
    let server = Server::with([Reply::text(200, &"x".repeat(100_000))]).await;
    let client = server.builder().answer_bytes_max(10_000).build().expect("a client");
    let error = client.get("/v1/jobs", &[]).await.expect_err("too large");
    assert!(error.to_string().contains("larger than 10000 bytes"), "{error}");
}

#[tokio::test]
async fn a_result_is_kept_word_for_word() {
    let text = r#"{ "n": 12345678901234567890123, "a": 1.0 }"#;
    let not_yet = Reply::json(202, &json!({ "id": id(), "state": "running" })).header("retry-after", "1");
    let server = Server::with([not_yet, Reply::text(200, text), Reply::json(200, &Value::Null), Reply::problem(409, "job_dead")]).await;
    let client = server.client();
    assert!(matches!(client.result(id()).await.expect("answered").body, Outcome::NotYet(State::Running)));
    match client.result(id()).await.expect("answered").into_body() {
        Outcome::Ready(result) => assert_eq!(result.get(), text),
        other => panic!("{other:?}"),
    }
    assert!(matches!(client.result(id()).await.expect("answered").body, Outcome::Ready(null) if null.get() == "null"));
    assert_eq!(client.result(id()).await.expect_err("dead").code(), Some("job_dead"));
}

#[tokio::test]
async fn a_listing_is_read_page_by_page() {
    let page = |rows: usize, cursor: Option<&str>| Reply::json(200, &json!({ "jobs": vec![job("dead"); rows], "cursor": cursor }));
    let server = Server::with([page(2, Some("a")), page(0, Some("b")), page(1, None)]).await;
    let filter = JobFilter { state: Some(State::Dead), ..JobFilter::default() };
    let mut dead = server.client().jobs_by(&filter, 2);
    let mut rows = 0;
    while let Some(job) = dead.next().await.expect("listed") {
        assert_eq!(job.state, State::Dead);
        rows += 1;
    }
    assert_eq!(rows, 3);
    let pages = ["GET /v1/jobs?state=dead&limit=2", "GET /v1/jobs?state=dead&limit=2&cursor=a", "GET /v1/jobs?state=dead&limit=2&cursor=b"];
    assert_eq!(server.lines(), pages);
}

#[tokio::test]
async fn a_listing_that_leads_in_circles_is_left() {
    let page = Reply::json(200, &json!({ "jobs": [], "cursor": "a" }));
    let server = Server::with([page.clone(), page]).await;
    let error = server.client().jobs(&JobFilter::default()).next().await.expect_err("left");
    assert!(error.to_string().contains("leads to the same page"), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let client = flotilla_client::Client::builder(&url).key("k").try_timeout(Duration::from_millis(50)).tries(2).build().expect("a client");
    let error = client.job(id()).await.expect_err("silence");
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}
