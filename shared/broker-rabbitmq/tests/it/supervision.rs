//! "Connected, healthy, consuming nothing" cannot last: whatever the broker takes away without a word is found and had again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, DeadContent, Publisher, Subscription};
use broker_rabbitmq::{QueueType, RabbitBroker};
use domain::{Class, Priority, QueueName};
use serde_json::json;
use testkit::servers::{self, PrivateRabbit};
use testkit::{eventually, measured, within};
use tokio::time::Instant;

use crate::bench::{Bench, LONG, Told, drain, emissions, ids, normal, options, queue};

const ROW: &str = "broker supervision";
const HINTS: &str = "flotilla.v1.q.p2";
/// Two looks, ten seconds apart, the first of which may have come just before.
const FOUND_WITHIN: Duration = Duration::from_secs(25);

/// Lets a quorum queue forget a consumer, and tells nobody: what a lost change of leader has done to others.
async fn forget_consumer(server: &PrivateRabbit, tag: &str) {
    let forget = format!(
        "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{HINTS}\">>)), \
         [Pid] = [element(1, C) || C <- rabbit_amqqueue:consumers(Q), element(2, C) =:= <<\"{tag}\">>], \
         {{ok, _, _}} = ra:process_command(amqqueue:get_pid(Q), rabbit_fifo:make_checkout({{<<\"{tag}\">>, Pid}}, cancel, #{{}})), ok."
    );
    assert_eq!(server.ctl(&["eval", &forget]).await.trim(), "ok");
}

/// The tags of the consumers of the class that the tests use.
async fn tags(server: &PrivateRabbit) -> BTreeSet<String> {
    let consumers = server.server().default_vhost().consumers().await;
    consumers.into_iter().filter(|consumer| consumer.queue == HINTS).map(|consumer| consumer.tag).collect()
}

async fn a_tag_besides(server: &PrivateRabbit, known: &BTreeSet<String>) -> String {
    eventually("the broker lists the consumer", LONG, async || tags(server).await.difference(known).next().cloned()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_the_broker_forgot_is_begun_anew_also_where_others_consume() {
    let Some(server) = PrivateRabbit::start().await else { testkit::skip!("rabbitmq", servers::HOW) };
    let open = |told: &Arc<Told>| {
        let mut options = options(server.url(), told);
        options.queue_type = QueueType::Quorum;
        RabbitBroker::open(options).expect("a good URL")
    };
    let told = Arc::<Told>::default();
    let broker = open(&told);
    broker.declare(&[queue()]).await.expect("declared");
    let subscriber = broker.subscribe(Subscription::All, 10).await.expect("subscribed");
    let first = a_tag_besides(&server, &BTreeSet::new()).await;

    // Alone: the broker sees one too few.
    forget_consumer(&server, &first).await;
    let forgotten_at = Instant::now();
    broker.publish(&emissions(&normal(), 0..10, 1)).await.expect("published");
    assert_eq!(drain(&*subscriber, 10).await, ids(0..10));
    measured(ROW, "a forgotten consumer receives again", forgotten_at.elapsed());
    assert!(forgotten_at.elapsed() <= FOUND_WITHIN);

    // In company: the broker sees one, and one is what each of the two expects.
    let ours = a_tag_besides(&server, &BTreeSet::from([first.clone()])).await;
    let other = open(&told);
    other.declare(&[queue()]).await.expect("declared");
    let busy = other.subscribe(Subscription::All, 10).await.expect("subscribed");
    let _others = a_tag_besides(&server, &BTreeSet::from([first, ours.clone()])).await;
    forget_consumer(&server, &ours).await;
    let forgotten_at = Instant::now();
    // More than the other one takes in hand, and it is too busy to answer any.
    other.publish(&emissions(&normal(), 10..60, 1)).await.expect("published");
    let got = within("something comes", FOUND_WITHIN, subscriber.take(50)).await.expect("taken");
    measured(ROW, "a forgotten consumer in company receives again", forgotten_at.elapsed());
    got.into_iter().for_each(broker::Delivery::ack);
    drop(busy);
    let connects = (broker.health().connects, other.health().connects);
    assert_eq!(connects, (1, 1), "no reason to connect anew");
}

/// A worker that is busy for longer than the broker's patience: it closes the channel, and offers everything again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_the_broker_closes_is_opened_anew() {
    let Some(server) = PrivateRabbit::start().await else { testkit::skip!("rabbitmq", servers::HOW) };
    let impatient = "application:set_env(rabbit, consumer_timeout, 1000), application:set_env(rabbit, channel_tick_interval, 500).";
    server.ctl(&["eval", impatient]).await;
    let told = Arc::<Told>::default();
    let broker = RabbitBroker::open(options(server.url(), &told)).expect("a good URL");
    broker.declare(&[queue()]).await.expect("declared");
    let subscriber = broker.subscribe(Subscription::All, 10).await.expect("subscribed");
    broker.publish(&emissions(&normal(), 0..3, 1)).await.expect("published");
    let held = within("hints", LONG, subscriber.take(3)).await.expect("taken");
    eventually("it is told why nothing is received", LONG, async || broker.health().not_received).await;
    assert_eq!(drain(&*subscriber, 3).await, ids(0..3), "the same once more");
    // Of a channel that is gone: it does no harm.
    held.into_iter().for_each(broker::Delivery::ack);
    broker.publish(&emissions(&normal(), 3..6, 1)).await.expect("published");
    assert_eq!(drain(&*subscriber, 3).await, ids(3..6));
    assert_eq!((broker.health().connects, broker.health().not_received), (1, None));
}

/// What a broker that was killed at a bad moment leaves behind: the queue's name is there, and whoever consumes it loses the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_without_a_process_is_made_anew_and_disturbs_no_other() {
    let Some(server) = PrivateRabbit::start().await else { testkit::skip!("rabbitmq", servers::HOW) };
    let told = Arc::<Told>::default();
    let open = || {
        let mut options = options(server.url(), &told);
        options.queue_type = QueueType::Quorum;
        RabbitBroker::open(options).expect("a good URL")
    };
    let other = Class { queue: QueueName::of("other"), priority: Priority::Normal };
    let first = open();
    first.declare(&[queue(), other.queue.clone()]).await.expect("declared");
    first.close().await;
    told.forget();
    let kill = format!(
        "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{HINTS}\">>)), \
         ra:force_delete_server(quorum_queues, amqqueue:get_pid(Q))."
    );
    assert_eq!(server.ctl(&["eval", &kill]).await.trim(), "ok");

    let killed_at = Instant::now();
    let broker = open();
    let subscriber = broker.subscribe(Subscription::All, 10).await.expect("subscribed");
    broker.declare(&[queue(), other.queue.clone()]).await.expect("declared");
    eventually("the ledger hears of the loss", LONG, async || told.lost() == [normal()]).await;
    measured(ROW, "a queue without a process is made anew", killed_at.elapsed());
    let taken = async |class: &Class, from: u128| {
        let all = emissions(class, from..from + 5, 1);
        eventually("it takes", LONG, async || broker.publish(&all).await.expect("answered").len() == all.len()).await;
    };
    taken(&other, 0).await;
    assert_eq!(drain(&*subscriber, 5).await, ids(0..5));
    taken(&normal(), 10).await;
    assert_eq!(drain(&*subscriber, 5).await, ids(10..15));
}

/// Nobody waits at the end of the way of dead letters, so it is looked after: exchange, recorder, queues and bindings.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_of_dead_letters_is_made_anew_when_it_is_taken_away() {
    let Some(bench) = Bench::with(|options| options.watches = true).await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    let letters = bench.dead_letters().await.expect("reads");
    let vhost = bench.vhost.name().to_owned();
    let bindings = async || {
        let path = format!("/api/exchanges/{vhost}/flotilla.v1.dlx/bindings/source");
        let found = bench.vhost.ask("GET", path, None).await?;
        let mut found: Vec<String> = found.as_array()?.iter().map(|binding| binding["destination"].to_string()).collect();
        found.sort();
        (found.len() == 2).then_some(found)
    };
    let before = eventually("both are bound", LONG, bindings).await;
    for victim in ["exchanges/%/flotilla.v1.dlx", "queues/%/flotilla.v1.dead.q", "queues/%/flotilla.v1.dead_recorder"] {
        let deleted_at = Instant::now();
        bench.vhost.ask("DELETE", format!("/api/{}", victim.replace('%', &vhost)), None).await.expect("it was there");
        assert_eq!(eventually("both are bound again", LONG, bindings).await, before);
        measured(ROW, &format!("`{victim}` is there again"), deleted_at.elapsed());
    }
    assert!(bench.vhost.publish_raw("flotilla.v1.dlx", HINTS, b"no hint", json!({"message_id": "m"})).await);
    let letter = within("a dead letter", LONG, letters.next()).await.expect("read");
    assert!(matches!(letter.content(), DeadContent::Poison(poison) if poison.message_id.as_deref() == Some("m")), "{letter:?}");
    letter.recorded();
    assert_eq!(bench.broker.health().connects, 1);
}
