//! No publish waits for longer than its deadline: neither for a queue that does not answer, nor for a network that does not.

use std::sync::Arc;
use std::time::Duration;

use broker::Publisher;
use broker_rabbitmq::{QueueType, RabbitBroker};
use domain::{Class, Priority, QueueName};
use testkit::servers::{self, PrivateRabbit};
use testkit::{eventually, measured};
use tokio::time::Instant;

use crate::bench::{LONG, Told, emissions, normal, options, queue, row};

/// Of a message to be confirmed, and a moment.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(32);

/// A quorum queue without a leader says nothing, while the connection is as lively as ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_confirms_nothing_is_given_up_and_holds_up_no_other() {
    let Some(server) = PrivateRabbit::start().await else { testkit::skip!("rabbitmq", servers::HOW) };
    let told = Arc::<Told>::default();
    let mut options = options(server.url(), &told);
    options.queue_type = QueueType::Quorum;
    let broker = RabbitBroker::open(options).expect("a good URL");
    let other = Class { queue: QueueName::of("other"), priority: Priority::Normal };
    broker.declare(&[queue(), other.queue.clone()]).await.expect("declared");
    broker.publish(&emissions(&normal(), 0..1, 1)).await.expect("taken");
    eventually("it is well", LONG, async || told.confirmed_ids().contains(&row(0))).await;

    let leader = "{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"flotilla.v1.q.p2\">>)), Pid = amqqueue:get_pid(Q),";
    assert_eq!(server.ctl(&["eval", &format!("{leader} ra:stop_server(quorum_queues, Pid).")]).await.trim(), "ok");
    let sent_at = Instant::now();
    broker.publish(&emissions(&normal(), 1..101, 1)).await.expect("taken");
    eventually("they are on their way", LONG, async || broker.health().unconfirmed == 100).await;
    broker.publish(&emissions(&other, 200..210, 1)).await.expect("taken");
    eventually("the other queue takes and confirms", Duration::from_secs(5), async || {
        (200..210).all(|n| told.confirmed_ids().contains(&row(n)))
    })
    .await;
    eventually("those without an answer are given up", GIVEN_UP_WITHIN, async || match broker.health().unconfirmed {
        0 => Ok(()),
        count => Err(format!("{count} are waited for")),
    })
    .await;
    measured("publish deadline", "messages without a confirmation are given up", sent_at.elapsed());
    assert!(!told.confirmed_ids().contains(&row(50)), "nobody is told that they arrived");
    assert_eq!(broker.health().connects, 1, "a queue is no reason to connect anew");

    assert_eq!(server.ctl(&["eval", &format!("{leader} ra:restart_server(quorum_queues, Pid).")]).await.trim(), "ok");
    broker.publish(&emissions(&normal(), 300..301, 1)).await.expect("taken");
    eventually("it takes again", LONG, async || told.confirmed_ids().contains(&row(300))).await;
}
