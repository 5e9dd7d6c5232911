//! A queue that cannot be made is told of, and keeps nobody from the others.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, Publisher, Subscription};
use broker_rabbitmq::RabbitBroker;
use domain::{Class, DeadNotice, JobId, KindName, Priority, QueueName, Timestamp};
use serde_json::json;
use testkit::servers;
use testkit::{eventually, within};
use url::Url;

use crate::bench::{Bench, LONG, Told, drain, emissions, ids, options};

fn class(queue: &'static str) -> Class {
    Class { queue: QueueName::of(queue), priority: Priority::Normal }
}

fn dead(queue: &'static str, n: u128) -> DeadNotice {
    DeadNotice {
        job: JobId::from_bytes(n.to_be_bytes()),
        run: 1,
        queue: QueueName::of(queue),
        kind: KindName::of("k"),
        reason: "failed".to_owned(),
        fingerprint: "f".to_owned(),
        attempts: 1,
        at: Timestamp::from_micros(1_763_640_000_000_000),
    }
}

/// A user who may configure what the pattern says, and a broker that logs in as that user.
async fn restricted(configure: &str) -> Option<(Bench, String)> {
    let vhost = servers::rabbitmq()?.fresh_vhost().await;
    let user = format!("user-{}", vhost.name());
    vhost.ask("PUT", format!("/api/users/{user}"), Some(json!({"password": "secret", "tags": ""}))).await;
    allow(&vhost, &user, configure).await;
    let mut url = Url::parse(&vhost.url()).expect("a URL");
    url.set_username(&user).and_then(|()| url.set_password(Some("secret"))).expect("it has a host");
    let told = Arc::<Told>::default();
    let broker = RabbitBroker::open(options(url.to_string(), &told)).expect("a good URL");
    Some((Bench { broker, told, vhost }, user))
}

async fn allow(vhost: &servers::Vhost, user: &str, configure: &str) {
    let rights = json!({"configure": configure, "write": ".*", "read": ".*"});
    vhost.ask("PUT", format!("/api/permissions/{}/{user}", vhost.name()), Some(rights)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_may_not_be_made_stops_no_other() {
    let Some((bench, user)) = restricted(r"^(?!flotilla\.v1\.(dead\.)?bad)").await else { testkit::skip!("rabbitmq", servers::HOW) };
    let subscriber = bench.subscribe(Subscription::All, 10).await.expect("subscribed");
    let error = bench.declare(&[QueueName::of("bad"), QueueName::of("good")]).await.expect_err("one is refused");
    assert!(error.source().is_some_and(|cause| cause.to_string().contains("ACCESS_REFUSED")), "{error:?}");
    within("the other is there", LONG, bench.declare(&[QueueName::of("good")])).await.expect("declared");
    bench.publish(&emissions(&class("bad"), 100..110, 1)).await.expect("taken");
    bench.publish(&emissions(&class("good"), 0..50, 1)).await.expect("taken");
    assert_eq!(drain(&*subscriber, 50).await, ids(0..50));
    eventually("confirmed", LONG, async || bench.told.confirmed_ids().len() == 50).await;
    let announced = bench.announce(&[dead("bad", 1), dead("good", 2)]).await.expect("announced");
    assert_eq!(announced, [dead("good", 2).job]);
    let health = bench.broker.health();
    let shown = health.last_error.expect("it is shown");
    assert!(shown.starts_with("the queue `bad`: ") && shown.contains("ACCESS_REFUSED"), "{shown}");
    assert_eq!(health.connects, 1, "no reason to connect anew");

    // It is looked again without anybody asking.
    allow(&bench.vhost, &user, ".*").await;
    eventually("it is made", LONG, async || bench.broker.health().last_error.is_none()).await;
    bench.declare(&[QueueName::of("bad")]).await.expect("it is there by now");
    bench.publish(&emissions(&class("bad"), 200..210, 1)).await.expect("taken");
    assert_eq!(drain(&*subscriber, 10).await, ids(200..210), "consumed as well");
    assert_eq!(bench.broker.health().connects, 1);
    bench.vhost.ask("DELETE", format!("/api/users/{user}"), None).await;
}

/// Who may not make queues can still use those that an operator has made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_that_are_there_are_used_without_the_right_to_make_them() {
    let Some((bench, user)) = restricted(".*").await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[QueueName::of("q")]).await.expect("declared");
    allow(&bench.vhost, &user, "^flotilla\\.v1\\.d(lx|ead_recorder)$").await;
    eventually("it is listed and closed", LONG, async || bench.vhost.close_all_connections().await == 1).await;
    eventually("it is connected anew", LONG, async || bench.broker.health().connects == 2).await;
    within("it is there", Duration::from_secs(5), bench.declare(&[QueueName::of("q")])).await.expect("found");
    let subscriber = bench.subscribe(Subscription::All, 10).await.expect("subscribed");
    bench.publish(&emissions(&class("q"), 0..5, 1)).await.expect("taken");
    assert_eq!(drain(&*subscriber, 5).await, ids(0..5));
    assert_eq!(bench.broker.health().last_error, None);
    bench.vhost.ask("DELETE", format!("/api/users/{user}"), None).await;
}

/// Its class queues would be the dead queues of others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_queue_can_be_called_dead() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    let _subscriber = bench.subscribe(Subscription::All, 10).await.expect("subscribed");
    let error = bench.declare(&[QueueName::of("dead"), QueueName::of("p2")]).await.expect_err("a reserved name");
    assert!(error.source().is_some_and(|cause| cause.to_string().contains("no queue can be called `dead`")), "{error:?}");
    within("the other is there", LONG, bench.declare(&[QueueName::of("p2")])).await.expect("declared");
    bench.publish(&emissions(&class("dead"), 0..1, 1)).await.expect("taken, and left to the ledger");
    bench.publish(&emissions(&class("p2"), 1..2, 1)).await.expect("taken");
    eventually("the other is confirmed", LONG, async || bench.told.confirmed_ids().len() == 1).await;
    let queue = bench.vhost.queue("flotilla.v1.dead.p2").await.expect("the dead queue of `p2`");
    assert_eq!((queue.kind.as_str(), queue.messages.unwrap_or_default(), queue.consumers.unwrap_or_default()), ("classic", 0, 0));
}
