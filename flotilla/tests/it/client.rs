//! The typed client against a real fleet, with a kind of its own that does everything a handler can do.

use std::time::Duration;

use flotilla::{Fleet, FleetOptions};
use flotilla_client::{Act, Client, Event, JobFilter, NewJob, Operation, OperationState, Outcome, Priority, State};
use kinds::Kind;
use runtime::{Handler, JobContext, Registry};
use serde_json::json;
use settings::{Source, vars};
use testkit::Scratch;

use crate::process::SOON;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Talk {
    words: Vec<String>,
}

impl Kind for Talk {
    const NAME: &'static str = "test.talk";
    const QUEUE: &'static str = "talks";
}

struct Talker;

impl Handler<Talk> for Talker {
    type Output = usize;

    async fn run(&self, talk: Talk, cx: &JobContext) -> Result<usize, domain::Failure> {
        if talk.words.is_empty() {
            return Err(domain::Failure::permanent("nothing_to_say", "there are no words"));
        }
        for (n, word) in talk.words.iter().enumerate() {
            cx.progress(u8::try_from(n * 10).unwrap_or(100), Some(word));
            cx.output(word);
        }
        Ok(talk.words.len())
    }
}

struct Stage {
    fleet: Fleet,
    client: Client,
    _scratch: Scratch,
}

impl Stage {
    async fn new() -> Self {
        let scratch = Scratch::new();
        let mut registry = Registry::default();
        registry.add::<Talk, _>(Talker).expect("one handler");
        let source = Source::of(&[(&vars::LISTEN, "127.0.0.1:0")]).with(&vars::DATA_DIR, scratch.join("data").display().to_string());
        let fleet = Fleet::start(FleetOptions { source, registry }).await.expect("starts");
        let client = fleet.client().expect("a client");
        Self { fleet, client, _scratch: scratch }
    }

    async fn operation(&self, operation: &Operation) -> Operation {
        testkit::eventually("it is over", SOON, async || {
            let found = self.client.operation(operation.id).await.expect("answered").into_body();
            found.finished_at.is_some().then_some(found)
        })
        .await
    }
}

fn talk(words: &[&str]) -> NewJob {
    NewJob::new(Talk::NAME, &json!({ "words": words })).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_submitted_followed_and_its_result_read() {
    let stage = Stage::new().await;
    let client = &stage.client;
    let job =
        client.submit(&talk(&["one ", "two"]).priority(Priority::High).tag("t").delay(Duration::from_millis(300))).await.expect("accepted");
    assert_eq!((&job.state, &job.priority, job.status), (&State::Waiting, &Priority::High, 202));
    assert!(matches!(client.result(job.id).await.expect("answered").body, Outcome::NotYet(State::Waiting)));
    let (mut states, mut output, mut percents) = (Vec::new(), String::new(), Vec::new());
    let mut watch = client.watch(job.id);
    while let Some(event) = testkit::within("an event", SOON, watch.next()).await.expect("followed") {
        match event {
            Event::State(job) => states.push(job.state),
            Event::Output { run: 1, text } => output += &text,
            Event::Progress(progress) => percents.push(progress.percent),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((states.first(), states.last()), (Some(&State::Waiting), Some(&State::Succeeded)), "{states:?}");
    assert_eq!((output.as_str(), percents.last()), ("one two", Some(&10)));
    match client.result(job.id).await.expect("answered").into_body() {
        Outcome::Ready(result) => assert_eq!(result.get(), "2"),
        other => panic!("{other:?}"),
    }
    let timeline = client.timeline(job.id).await.expect("answered");
    assert_eq!(timeline.timeline.last().map(|step| &step.to), Some(&State::Succeeded));
    assert_eq!(client.logs(job.id).await.expect("answered").logs[0].output.as_deref(), Some("one two"));
    assert!(stage.fleet.shutdown().await.clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_listed_in_types() {
    let stage = Stage::new().await;
    let client = &stage.client;
    let jobs: Vec<NewJob> = (0..25).map(|_| talk(&["x"]).tag("page").delay(Duration::from_secs(3_600))).collect();
    let submitted = client.submit_batch(&jobs, None).await.expect("accepted");
    let lines = "{\"kind\":\"test.talk\",\"tags\":[\"page\"],\"delay\":\"1h\",\"payload\":{\"words\":[\"y\"]}}\n".repeat(5);
    assert_eq!((submitted.jobs.len(), client.submit_lines(lines, None).await.expect("accepted").jobs.len()), (25, 5));
    let mut pages = client.jobs_by(&JobFilter { tag: Some("page".to_owned()), ..JobFilter::default() }, 7);
    let mut listed = 0;
    while let Some(job) = pages.next().await.expect("listed") {
        assert_eq!((job.kind.as_str(), &job.state), (Talk::NAME, &State::Waiting));
        listed += 1;
    }
    assert_eq!(listed, 30);
    assert_eq!(client.kind(Talk::NAME).await.expect("known").queue, "talks");
    assert!(client.kind("no.such").await.expect_err("unknown").is_not_found());
    assert!(client.kinds().await.expect("listed").kinds.len() >= 2);
    assert!(client.queues().await.expect("listed").queues.iter().any(|queue| queue.name == "talks" && queue.priorities.len() == 5));
    assert_eq!(client.queue("talks").await.expect("known").depth, 0);
    assert!(client.workers().await.expect("listed").workers[0].live);
    assert_eq!(client.health().await.expect("answered").body.status, "ready");
    let who = client.whoami().await.expect("known");
    assert_eq!((who.key.as_str(), who.tenant.as_str()), ("local", "default"));
    let stats = client.stats(Duration::from_secs(300)).await.expect("answered");
    assert_eq!((stats.workers.live, stats.window.as_str()), (1, "5m"));
    assert!(stage.fleet.shutdown().await.clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_moved_one_by_one_and_many_at_once() {
    let stage = Stage::new().await;
    let client = &stage.client;
    let put_off = || talk(&["x"]).tag("many").delay(Duration::from_secs(3_600));
    let one = client.submit(&put_off()).await.expect("accepted").id;
    client.submit_batch(&[put_off(), put_off()], None).await.expect("accepted");
    assert_eq!(client.reprioritize(one, &Priority::Bulk, Some("why")).await.expect("moved").priority, Priority::Bulk);
    let moved = client.reschedule_in(one, Duration::from_secs(7_200), None).await.expect("moved");
    assert!((moved.run_at - moved.created_at).num_minutes() >= 119, "{:?}", moved.run_at);
    assert_eq!(client.reschedule(one, moved.run_at, None).await.expect("moved").run_at, moved.run_at);
    client.run_now(one, None).await.expect("queued");
    assert_eq!(client.wait(one, SOON).await.expect("ends").state, State::Succeeded);
    let many = JobFilter { tag: Some("many".to_owned()), ..JobFilter::default() };
    let begun = client.bulk(&Act::Cancel, &many, "enough").await.expect("begun");
    let over = stage.operation(&begun).await;
    assert_eq!((&over.state, over.done, over.skipped, over.action.as_str()), (&OperationState::Succeeded, 2, 1, "cancel"));
    assert_eq!(client.operations().await.expect("listed").operations[0].id, over.id);
    let refused = client.bulk(&Act::Cancel, &JobFilter::default(), "all of them").await.expect_err("an empty filter");
    assert!(refused.problem().is_some_and(|problem| problem.status == 422), "{refused}");
    let audit =
        client.audit(&flotilla_client::AuditFilter { action: Some("job.run_now".to_owned()), ..Default::default() }, 50).next().await;
    assert_eq!(audit.expect("listed").expect("a row").target, one.to_string());
    assert!(stage.fleet.shutdown().await.clean);
}
