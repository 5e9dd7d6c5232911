//! A job is followed through broken streams, and without any stream.

use std::time::Duration;

use flotilla_client::{Client, Error, Event, State};
use serde_json::{Value, json};

use crate::server::{Reply, Server, id, job};

fn state(job: &Value) -> String {
    format!("event: state\ndata: {job}\n\n")
}

fn event(name: &str, id: &str, data: &Value) -> String {
    format!("event: {name}\nid: {id}\ndata: {data}\n\n")
}

/// What happened, in words.
async fn story(client: &Client) -> Result<Vec<String>, Error> {
    let mut watch = client.watch(id());
    let mut story = Vec::new();
    while let Some(event) = watch.next().await? {
        story.push(match event {
            Event::State(job) => job.state.to_string(),
            Event::Progress(progress) => format!("{} %", progress.percent),
            Event::Output { run, text } => format!("{run}> {text}"),
            Event::Log { run, level, message } => format!("{run} {level} {message}"),
            Event::Gap => "gap".to_owned(),
            other => panic!("{other:?}"),
        });
    }
    Ok(story)
}

/// The stream breaks twice; each time it goes on after the last event that was seen, and a state that is said again is told once.
#[tokio::test]
async fn a_broken_stream_is_resumed_where_it_broke() {
    let first = state(&job("running")) + &event("progress", "1-1", &json!({ "percent": 10 })) + ": ping\n\nevent: log\nid: 1-2\nda";
    let second = state(&job("running"))
        + &event("log", "1-2", &json!({ "level": "INFO", "message": "half" }))
        + &event("gap", "1-5", &json!({}))
        + &event("of_tomorrow", "1-6", &json!({}));
    let third = event("output", "1-7", &json!({ "text": "done" })) + &state(&job("succeeded"));
    let server = Server::with([Reply::events(&first).breaking(), Reply::events(&second), Reply::events(&third)]).await;
    let story = story(&server.client()).await.expect("followed to its end");
    assert_eq!(story, ["running", "10 %", "1 INFO half", "gap", "1> done", "succeeded"]);
    let resumed: Vec<String> = server.asked().iter().map(|asked| asked.header("last-event-id").to_owned()).collect();
    assert_eq!(resumed, ["", "1-1", "1-6"]);
    assert!(server.asked().iter().all(|asked| asked.header("accept") == "text/event-stream"));
}

/// A server without streams, or something in between that is none: the job itself tells, and what it said meanwhile is missing.
#[tokio::test]
async fn without_a_stream_the_job_is_looked_at() {
    let rows = [(Reply::problem(404, "not_found"), false), (Reply::text(200, "<html>"), true), (Reply::problem(503, "busy"), true)];
    for (refusal, misses) in rows {
        let looks = ["queued", "running", "running", "dead"].map(|state| Reply::json(200, &job(state)));
        let server = Server::with(std::iter::once(refusal).chain(looks)).await;
        let gap: &[&str] = if misses { &["gap"] } else { &[] };
        assert_eq!(story(&server.client()).await.expect("followed"), [&["queued", "running"], gap, &["dead"]].concat());
        assert_eq!(server.lines()[1], format!("GET /v1/jobs/{}", id()));
    }
}

/// No room for a stream is no reason to go without for ever: it is asked for again when the server said.
#[tokio::test]
async fn a_stream_that_was_refused_for_now_is_asked_for_again() {
    let stream = state(&job("running")) + &event("log", "1-1", &json!({ "level": "INFO", "message": "x" })) + &state(&job("succeeded"));
    let refused = || Reply::problem(503, "busy").header("retry-after", "1");
    let server = Server::with([refused(), refused(), Reply::events(&stream)]).await.looks(Reply::json(200, &job("running")));
    assert_eq!(story(&server.client()).await.expect("followed"), ["running", "1 INFO x", "succeeded"]);
    assert_eq!(server.lines().iter().filter(|line| line.ends_with("/events")).count(), 3);
}

/// Events come in one piece; each is returned with its own place, from which another watch goes on.
#[tokio::test]
async fn each_event_has_its_own_place() {
    let lines: String = (1..=3).map(|n| event("output", &format!("1-{n}"), &json!({ "text": n.to_string() }))).collect();
    let stream = state(&job("running")) + &lines + &state(&job("succeeded"));
    let rest = event("output", "1-3", &json!({ "text": "3" })) + &state(&job("succeeded"));
    let server = Server::with([Reply::events(&stream), Reply::events(&rest)]).await;
    let client = server.client();
    let mut watch = client.watch(id());
    let mut places = Vec::new();
    while let Some(_event) = watch.next().await.expect("followed") {
        places.push(watch.place().unwrap_or("-").to_owned());
    }
    assert_eq!(places, ["-", "1-1", "1-2", "1-3", "1-3"]);
    let mut resumed = client.watch(id()).after("1-2");
    assert_eq!(resumed.place(), Some("1-2"));
    assert!(matches!(resumed.next().await, Ok(Some(Event::Output { text, .. })) if text == "3"));
    assert_eq!(server.asked()[1].header("last-event-id"), "1-2");
}

/// Somebody in between swallows events: streams that bring nothing are given up.
#[tokio::test]
async fn streams_that_bring_nothing_are_given_up() {
    let empty = (0..4).map(|_| Reply::events(": ping\n\n"));
    let server = Server::with(empty.chain([Reply::json(200, &job("succeeded"))])).await;
    assert_eq!(story(&server.client()).await.expect("followed"), ["gap", "succeeded"]);
}

#[tokio::test]
async fn an_unknown_job_is_an_error() {
    let server = Server::with([Reply::problem(404, "not_found"), Reply::problem(404, "not_found")]).await;
    assert!(story(&server.client()).await.expect_err("unknown").is_not_found());
    let server = Server::with([Reply::problem(401, "unauthorized")]).await;
    assert_eq!(story(&server.client()).await.expect_err("no key").code(), Some("unauthorized"));
}

#[tokio::test]
async fn a_job_is_waited_for_to_its_end() {
    let mut whole = job("succeeded");
    whole["result"] = json!(42);
    let server = Server::with([Reply::events(&(state(&job("running")) + &state(&job("succeeded")))), Reply::json(200, &whole)]).await;
    let ended = server.client().wait(id(), Duration::from_secs(20)).await.expect("ended");
    assert_eq!((&ended.state, ended.result.as_ref().map(|result| result.get())), (&State::Succeeded, Some("42")));
}

#[tokio::test]
async fn a_job_that_does_not_end_is_said_so() {
    let running = (0..1_000).map(|_| Reply::json(200, &job("running")));
    let server = Server::with(std::iter::once(Reply::problem(404, "not_found")).chain(running)).await;
    let error = server.client().wait(id(), Duration::from_millis(300)).await.expect_err("it goes on");
    assert!(matches!(error, Error::NotEnded { .. }) && error.is_temporary(), "{error:?}");
}
