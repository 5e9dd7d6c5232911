//! What the broker refuses is told with the command that mends it, and goes on by itself when it is permitted.

use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, Publisher, Subscription};
use broker_rabbitmq::RabbitBroker;
use serde_json::json;
use testkit::servers::{self, Vhost};
use testkit::{eventually, measured};
use tokio::time::Instant;
use url::Url;

use crate::bench::{Bench, LONG, Told, drain, emissions, ids, normal, options, queue};

/// From the moment at which it is permitted.
const GOES_ON_WITHIN: Duration = Duration::from_secs(20);

/// A user of one virtual host; gone with it.
struct User<'a> {
    vhost: &'a Vhost,
    name: String,
}

impl<'a> User<'a> {
    async fn new(vhost: &'a Vhost) -> Self {
        let user = Self { vhost, name: format!("user-{}", vhost.name()) };
        user.password("secret").await;
        user
    }

    async fn password(&self, password: &str) {
        self.vhost.ask("PUT", format!("/api/users/{}", self.name), Some(json!({"password": password, "tags": ""}))).await;
    }

    /// Patterns of what it may configure, write and read; what is open is closed, so that nothing remembered counts.
    async fn may(&self, configure: &str, write: &str, read: &str) {
        let rights = json!({"configure": configure, "write": write, "read": read});
        self.vhost.ask("PUT", format!("/api/permissions/{}/{}", self.vhost.name(), self.name), Some(rights)).await;
    }

    fn url(&self, vhost: &str) -> String {
        let mut url = Url::parse(&self.vhost.url()).expect("a URL");
        url.set_username(&self.name).and_then(|()| url.set_password(Some("secret"))).expect("it has a host");
        url.set_path(vhost);
        url.to_string()
    }
}

fn opened(url: String) -> (RabbitBroker, Arc<Told>) {
    let told = Arc::<Told>::default();
    (RabbitBroker::open(options(url, &told)).expect("a good URL"), told)
}

/// What is shown, once it is.
async fn refusal(broker: &RabbitBroker, words: &[&str]) -> String {
    eventually("the refusal is shown", LONG, async || match broker.health().refused {
        Some(refused) if words.iter().all(|word| refused.contains(word)) => Ok(refused),
        other => Err(format!("{other:?} has not all of {words:?}")),
    })
    .await
}

async fn permitted(broker: &RabbitBroker, what: &str, since: Instant) {
    eventually("nothing is refused any more", GOES_ON_WITHIN, async || match broker.health().refused {
        None => Ok(()),
        Some(refused) => Err(refused),
    })
    .await;
    measured("broker permissions", what, since.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_permission_is_shown_with_the_command_and_ends_with_it() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    let user = User::new(&bench.vhost).await;
    let command = format!("rabbitmqctl set_permissions -p '{}' '{}' ", bench.vhost.name(), user.name);
    let (all, none) = (r"^flotilla\.v1\..*", "^$");

    user.may(all, none, all).await;
    let (broker, told) = opened(user.url(bench.vhost.name()));
    let subscriber = broker.subscribe(Subscription::Queues(vec![queue()]), 10).await.expect("subscribed");
    let sent_until_taken = async |from: u128| {
        eventually("it is taken", LONG, async || {
            !broker.publish(&emissions(&normal(), from..from + 5, 1)).await.expect("answered").is_empty()
        })
        .await;
    };
    sent_until_taken(0).await;
    refusal(&broker, &[&command, "the permission to write", "ACCESS_REFUSED"]).await;
    // Nothing is taken, so that nothing is put off for longer and longer.
    let taken = async || broker.publish(&emissions(&normal(), 5..6, 1)).await.expect("answered").len();
    eventually("nothing is taken", LONG, async || taken().await == 0).await;
    let connects = broker.health().connects;
    eventually("it tries again, and again", LONG, async || {
        assert_eq!(taken().await, 0, "also when it is connected anew");
        broker.health().connects >= connects + 2
    })
    .await;
    assert!(told.confirmed_ids().is_empty());
    let since = Instant::now();
    user.may(all, r"^(amq\.default|flotilla\.v1\..*)$", all).await;
    permitted(&broker, "sending goes on", since).await;
    sent_until_taken(10).await;
    assert_eq!(drain(&*subscriber, 5).await, ids(10..15));

    user.may(all, r"^(amq\.default|flotilla\.v1\..*)$", none).await;
    bench.vhost.close_all_connections().await;
    refusal(&broker, &[&command, "read"]).await;
    assert!(broker.health().connected, "it is connected, and receives nothing: that is why it is shown");
    let since = Instant::now();
    user.may(all, r"^(amq\.default|flotilla\.v1\..*)$", all).await;
    permitted(&broker, "receiving goes on", since).await;
    sent_until_taken(20).await;
    assert_eq!(drain(&*subscriber, 5).await, ids(20..25));
    bench.vhost.ask("DELETE", format!("/api/users/{}", user.name), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_make_no_queue_is_told_so() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    let user = User::new(&bench.vhost).await;
    user.may("^$", ".*", ".*").await;
    let (broker, _told) = opened(user.url(bench.vhost.name()));
    broker.declare(&[queue()]).await.expect_err("it may not");
    refusal(&broker, &["the permission to configure", "rabbitmqctl set_permissions"]).await;
    let since = Instant::now();
    user.may(".*", ".*", ".*").await;
    permitted(&broker, "queues are made", since).await;
    broker.declare(&[queue()]).await.expect("it is there by now");
    bench.vhost.ask("DELETE", format!("/api/users/{}", user.name), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_log_in_or_enter_is_told_so() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    let user = User::new(&bench.vhost).await;
    let entering = opened(user.url(bench.vhost.name())).0;
    refusal(&entering, &["may not enter", "rabbitmqctl set_permissions -p"]).await;
    let nowhere = opened(user.url("nowhere")).0;
    refusal(&nowhere, &["there is no virtual host `nowhere`", "rabbitmqctl add_vhost 'nowhere'"]).await;
    let since = Instant::now();
    user.may(".*", ".*", ".*").await;
    permitted(&entering, "who may enter is in", since).await;

    // The password is changed while it runs; what is open stays open, and what comes after is refused.
    user.password("another").await;
    eventually("both are listed and closed", LONG, async || bench.vhost.close_all_connections().await > 0).await;
    refusal(&entering, &["the login of user", "rabbitmqctl change_password"]).await;
    let shown = entering.health().refused.expect("it is shown");
    assert!(!shown.contains("secret"), "{shown}");
    assert!(!entering.health().connected);
    let since = Instant::now();
    user.password("secret").await;
    permitted(&entering, "who may log in again is in", since).await;
    bench.vhost.ask("DELETE", format!("/api/users/{}", user.name), None).await;
}
