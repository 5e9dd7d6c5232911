//! A job followed live: its states, its feed, its end, and readers that come back.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::BodyDataStream;
use coordination::{CoordinationError, Feed, FeedEntry, FeedEvent, FeedId, FeedPage};
use domain::bounds::{FEED_EVENTS_MAX, FOLLOWERS_MAX};
use domain::{JobId, Progress};
use futures_util::StreamExt;
use serde_json::{Value, json};
use store::{End, Settlement, Work};

use crate::bench::{ANY, Bench, EVERYTHING};
use crate::request::Call;

const PATIENCE: Duration = Duration::from_secs(20);

/// One event as a reader gets it.
#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

/// A stream that is read.
struct Events {
    body: BodyDataStream,
    text: String,
}

impl Events {
    async fn open(call: Call) -> Self {
        let response = call.open().await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event; `None`: the stream is over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((piece, rest)) = self.text.split_once("\n\n") {
                let event = event_of(piece);
                self.text = rest.to_owned();
                if event.is_some() {
                    return event;
                }
            }
            let piece = tokio::time::timeout(PATIENCE, self.body.next()).await.expect("something in time")?;
            self.text.push_str(std::str::from_utf8(&piece.expect("never fails")).expect("UTF-8"));
        }
    }

    /// Everything up to the end of the stream.
    async fn rest(&mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}

/// Comments and the time to wait are no events.
fn event_of(piece: &str) -> Option<Event> {
    let field = |name: &str| piece.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let data = serde_json::from_str(field("data")?).expect("JSON");
    Some(Event { name: field("event")?.to_owned(), id: field("id").unwrap_or_default().to_owned(), data })
}

/// What a test looks at: name and id, and of a state which one.
fn told(events: &[Event]) -> Vec<String> {
    let one = |event: &Event| match event.name.as_str() {
        "state" => format!("{} {}", event.data["state"].as_str().expect("a state"), event.id),
        name => format!("{name} {}", event.id),
    };
    events.iter().map(|event| one(event).trim_end().to_owned()).collect()
}

fn entry(run: u32, seq: u64, event: FeedEvent) -> FeedEntry {
    FeedEntry { id: FeedId { run, seq }, event }
}

fn output(run: u32, seq: u64) -> FeedEntry {
    entry(run, seq, FeedEvent::Output { text: format!("piece {seq}") })
}

async fn say(b: &Bench, job: JobId, entries: impl IntoIterator<Item = FeedEntry>) {
    for entry in entries {
        b.coordination.append(job, entry).await.expect("appended");
    }
}

fn path(job: JobId) -> String {
    format!("/v1/jobs/{job}/events")
}

#[tokio::test]
async fn a_job_is_followed_to_its_end() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    let mut events = Events::open(b.get(&path(job))).await;
    let first = events.next().await.expect("the present state");
    assert_eq!((told(std::slice::from_ref(&first)), first.data.get("payload")), (vec!["queued".to_owned()], None));
    let claimed = b.run(job).await;
    let progress = FeedEvent::Progress(Progress { percent: 50, message: None });
    let log = FeedEvent::Log { level: "info".to_owned(), message: "half\nway".to_owned() };
    say(&b, job, [entry(1, 1, progress)]).await;
    let begun = [events.next().await.expect("a state"), events.next().await.expect("progress")];
    assert_eq!((told(&begun), &begun[1].data), (vec!["running".to_owned(), "progress 1-1".to_owned()], &json!({ "percent": 50 })));
    say(&b, job, [entry(1, 2, log), output(1, 3), entry(1, 4, FeedEvent::Ended)]).await;
    let settlement =
        Settlement { job, run: claimed.run, end: End::Succeeded { result: None }, logs: Vec::new(), output: None, progress: None };
    b.store.settle(b.worker, &[settlement]).await.expect("settles");
    let rest = events.rest().await;
    assert_eq!(told(&rest), ["log 1-2", "output 1-3", "succeeded 1-4"]);
    assert_eq!((&rest[0].data["message"], &rest[1].data), (&json!("half\nway"), &json!({ "text": "piece 3" })));
}

/// A job that says nothing has states all the same: they come from the store.
#[tokio::test]
async fn a_silent_job_is_followed_too() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    let mut events = Events::open(b.get(&path(job))).await;
    assert_eq!(told(&[events.next().await.expect("a state")]), ["queued"]);
    b.post(&format!("/v1/jobs/{job}/reschedule"), r#"{"delay":"1h"}"#).send().await;
    assert_eq!(told(&[events.next().await.expect("a state")]), ["waiting"]);
    b.post(&format!("/v1/jobs/{job}/cancel"), "{}").send().await;
    assert_eq!(told(&events.rest().await), ["cancelled"]);
}

#[tokio::test]
async fn who_comes_late_gets_what_is_kept_and_the_end() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    let mut pieces: Vec<FeedEntry> = (1..=20).map(|seq| output(1, seq)).collect();
    pieces.push(entry(1, 21, FeedEvent::Ended));
    say(&b, job, pieces).await;
    b.kill(job).await;
    let all = Events::open(b.get(&path(job))).await.rest().await;
    assert_eq!((all.len(), told(&all)[0].as_str(), told(&all)[20].as_str()), (21, "output 1-1", "dead 1-21"));
    assert_eq!(all[20].data["error"]["code"], "no_such_user");
    let rest = Events::open(b.get(&path(job)).header("last-event-id", "1-19")).await.rest().await;
    assert_eq!(told(&rest), ["output 1-20", "dead 1-21"]);
    let nothing_new = Events::open(b.get(&format!("{}?last_event_id=1-21", path(job)))).await.rest().await;
    assert_eq!(told(&nothing_new), ["dead"]);
}

#[tokio::test]
async fn what_is_gone_is_told_as_a_gap() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    say(&b, job, (1..=u64::try_from(FEED_EVENTS_MAX).expect("fits") + 10).map(|seq| output(1, seq))).await;
    b.succeed(job, "1").await;
    let behind = Events::open(b.get(&path(job)).header("last-event-id", "1-3")).await.rest().await;
    assert_eq!(told(&behind)[..2], ["gap", "output 1-11"]);
    assert_eq!(behind.iter().filter(|event| event.name == "gap").count(), 1);
    let lost = b.submitted().await;
    say(&b, lost, [output(1, 1), output(1, 3), entry(2, 1, FeedEvent::Ended)]).await;
    b.succeed(lost, "1").await;
    let all = Events::open(b.get(&path(lost))).await.rest().await;
    assert_eq!(told(&all), ["output 1-1", "gap", "output 1-3", "succeeded 2-1"], "a worker that could not send leaves a hole");
}

/// A feed that has forgotten the job cannot say what the reader missed.
#[tokio::test]
async fn a_reader_who_comes_back_to_nothing_is_told() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    b.succeed(job, "1").await;
    let back = Events::open(b.get(&path(job)).header("last-event-id", "1-5")).await.rest().await;
    assert_eq!(told(&back), ["gap", "succeeded"]);
    assert_eq!(told(&Events::open(b.get(&path(job))).await.rest().await), ["succeeded"], "who had nothing missed nothing");
}

#[tokio::test]
async fn streams_end_when_the_process_stops() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    let mut events = Events::open(b.get(&path(job))).await;
    assert_eq!(told(&[events.next().await.expect("a state")]), ["queued"]);
    b.stopping.cancel();
    assert_eq!(events.next().await, None);
}

/// A feed that is away, as Redis may be.
struct NoFeed {
    hangs: bool,
}

#[async_trait]
impl Feed for NoFeed {
    async fn append(&self, _: JobId, _: FeedEntry) -> Result<(), CoordinationError> {
        Ok(())
    }

    async fn read(&self, _: JobId, _: Option<FeedId>, _: usize) -> Result<FeedPage, CoordinationError> {
        Err(CoordinationError { doing: "reading the live feed", source: "connection refused".into() })
    }

    async fn follow(&self, job: JobId, after: Option<FeedId>, limit: usize) -> Result<FeedPage, CoordinationError> {
        if self.hangs { std::future::pending().await } else { self.read(job, after, limit).await }
    }
}

#[tokio::test]
async fn without_the_feed_there_are_states() {
    for hangs in [true, false] {
        let b = Bench::with(|parts| parts.feed = Arc::new(NoFeed { hangs })).await;
        let job = b.submitted().await;
        let mut events = Events::open(b.get(&path(job))).await;
        assert_eq!(told(&[events.next().await.expect("a state")]), ["queued"]);
        b.succeed(job, "1").await;
        let rest = events.rest().await;
        assert_eq!(rest.last().map(|event| event.data["state"].clone()), Some(json!("succeeded")), "{rest:?}");
    }
}

#[tokio::test]
async fn who_may_not_follow_is_told() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    let foreign = b.mint_key("other", EVERYTHING).await;
    assert_eq!(b.get(&path(job)).key(&foreign).send().await.status, 404);
    assert_eq!(b.get(&path(b.mint.job(store::Store::now(&*b.store)))).send().await.status, 404);
    for (query, header) in [("?last_event_id=x", ""), ("", "1"), ("", "1-2-3"), ("?after=1-2", ""), ("", "é")] {
        let answer = b.get(&format!("{}{query}", path(job))).header("last-event-id", header).send().await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (422, "invalid_query"), "{query} {header}");
    }
}

/// I7: readers are bounded, one tenant does not keep out the others, and one that is gone makes room.
#[tokio::test]
async fn readers_are_bounded() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    let mut open = Vec::new();
    for _ in 0..FOLLOWERS_MAX / 2 {
        open.push(Events::open(b.get(&path(job))).await);
    }
    let refused = b.get(&path(job)).send().await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str(), refused.header("retry-after")), (503, "busy", "5"));
    let other = b.mint_key("other", EVERYTHING).await;
    let theirs = b.post("/v1/jobs", &json!({ "kind": ANY, "payload": 1 }).to_string()).key(&other).send().await.json();
    let theirs: JobId = theirs["id"].as_str().expect("an id").parse().expect("an id");
    open.push(Events::open(b.get(&path(theirs)).key(&other)).await);
    open.truncate(FOLLOWERS_MAX / 2 - 8);
    testkit::eventually("there is room again", PATIENCE, async || b.get(&path(job)).open().await.status() == 200).await;
}
