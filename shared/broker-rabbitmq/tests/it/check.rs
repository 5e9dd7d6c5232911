//! What an operator is told who asks whether this RabbitMQ will do.

use broker::Publisher;
use broker_rabbitmq::{CheckError, QueueType, check};
use serde_json::json;
use testkit::servers;

use crate::bench::{Bench, queue};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_broker_is_found_good() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    let before = check(&bench.vhost.url(), None, QueueType::Quorum, &[queue()]).await.expect("it answers");
    assert_eq!(before.missing_queues.len(), 5, "{before:?}");
    bench.declare(&[queue()]).await.expect("declared");
    let found = check(&bench.vhost.url(), None, QueueType::Quorum, &[queue()]).await.expect("it answers");
    assert!(found.version.as_deref().is_some_and(|version| version.split('.').count() >= 3), "{found:?}");
    assert_eq!((found.forbidden, found.takes_messages), (None, Some(true)));
    assert_eq!((found.missing_queues, found.different_queues), (vec![], vec![]));
    let left: Vec<String> = bench.vhost.queues().await.into_iter().map(|queue| queue.name).filter(|name| name.contains("check")).collect();
    assert_eq!(left, Vec::<String>::new());
}

/// A queue keeps its type. It is used as it is, and both the operator who asks and the one who looks at health are told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_of_another_type_are_named_and_used() {
    let Some(bench) = Bench::with(|options| options.queue_type = QueueType::Classic).await else {
        testkit::skip!("rabbitmq", servers::HOW)
    };
    bench.declare(&[queue()]).await.expect("declared");
    let found = check(&bench.vhost.url(), None, QueueType::Quorum, &[queue()]).await.expect("it answers");
    assert_eq!(found.different_queues.first().map(String::as_str), Some("flotilla.v1.q.p4"));
    assert_eq!(found.different_queues.len(), 5);

    let told = std::sync::Arc::default();
    let other = broker_rabbitmq::RabbitBroker::open(crate::bench::options(bench.vhost.url(), &told)).expect("a good URL");
    other.declare(&[queue()]).await.expect("they are there");
    assert_eq!(other.health().different_queues.len(), 5);
    let subscriber = broker::Broker::subscribe(&other, broker::Subscription::All, 10).await.expect("subscribed");
    other.publish(&crate::bench::emissions(&crate::bench::normal(), 0..4, 4)).await.expect("published");
    assert_eq!(crate::bench::drain(&*subscriber, 4).await, crate::bench::ids(0..4));
    assert_eq!(told.lost(), [], "nothing was made anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_permissions_are_told() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    let name = servers::unique_name("u");
    let user = json!({"password": "s3cret", "tags": ""});
    bench.vhost.ask("PUT", format!("/api/users/{name}"), Some(user)).await;
    let little = json!({"configure": "^flotilla\\.v1\\..*", "write": "^$", "read": ".*"});
    bench.vhost.ask("PUT", format!("/api/permissions/{}/{name}", bench.vhost.name()), Some(little)).await;
    let (_, rest) = bench.vhost.url().split_once('@').map(|(before, rest)| (before.to_owned(), rest.to_owned())).expect("a user");
    let found = check(&format!("amqp://{name}:s3cret@{rest}"), None, QueueType::Quorum, &[]).await;
    let wrong = check(&format!("amqp://{name}:wr0ng@{rest}"), None, QueueType::Quorum, &[]).await;
    bench.vhost.ask("DELETE", format!("/api/users/{name}"), None).await;
    let found = found.expect("it may look");
    let mend = found.mend.expect("there is a command");
    assert!(mend.contains(&format!("rabbitmqctl set_permissions -p '{}' '{name}' ", bench.vhost.name())), "{mend}");
    let forbidden = found.forbidden.expect("it may not write");
    assert!(forbidden.contains("binding a queue") && forbidden.contains("ACCESS_REFUSED"), "{forbidden}");
    let Err(CheckError::Refused { advice, source }) = wrong else { panic!("the password is wrong: {wrong:?}") };
    let error = format!("{advice} {}", telemetry::chain(&*source));
    assert!(error.contains("ACCESS_REFUSED") && error.contains("change_password") && !error.contains("wr0ng"), "{error}");
}
