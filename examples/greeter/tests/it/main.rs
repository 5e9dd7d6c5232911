//! How a kind of one's own is tested: the whole fleet in this process, on a database of its own.

use std::time::Duration;

use flotilla::{Fleet, FleetOptions};
use flotilla_client::{NewJob, State};
use runtime::Registry;
use settings::{Source, vars};
use testkit::Scratch;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_is_greeted_and_nobody_is_not() {
    let scratch = Scratch::new();
    let mut registry = Registry::default();
    greeter::register(&mut registry).expect("one handler");
    let source = Source::of(&[(&vars::LISTEN, "127.0.0.1:0")]).with(&vars::DATA_DIR, scratch.join("data").display().to_string());
    let fleet = Fleet::start(FleetOptions { source, registry }).await.expect("starts");
    let client = fleet.client().expect("a client");
    for (name, state, result) in [("Ada", State::Succeeded, Some("\"Hello, Ada!\"")), ("", State::Dead, None)] {
        let job = NewJob::new("example.greet", &serde_json::json!({ "name": name })).expect("a payload");
        let job = client.submit(&job).await.expect("accepted");
        let ended = client.wait(job.id, Duration::from_secs(30)).await.expect("it ends");
        assert_eq!((&ended.state, ended.result.as_ref().map(|result| result.get())), (&state, result), "{}", ended.text());
    }
    assert!(fleet.shutdown().await.clean);
}
