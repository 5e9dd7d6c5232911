//! What is no hint is dead-lettered once, shown with its reason, and never comes back.

use broker::{Broker, DeadContent, DeadLetters, Delivery, Publisher, Subscription};
use broker_rabbitmq::QueueType;
use domain::PoisonMessage;
use domain::bounds::POISON_SAMPLE_BYTES_MAX;
use serde_json::json;
use testkit::{eventually, servers, within};

use crate::bench::{Bench, LONG, drain, emissions, ids, normal, queue, row};

const HINTS: &str = "flotilla.v1.q.p2";
const OURS: &str = "application/vnd.flotilla.hint.v1";

async fn next_poison(letters: &dyn DeadLetters) -> PoisonMessage {
    let letter = within("a dead letter", LONG, letters.next()).await.expect("read");
    let content = letter.content().clone();
    letter.recorded();
    match content {
        DeadContent::Poison(poison) => poison,
        DeadContent::Hint { .. } => panic!("it is no hint: {content:?}"),
    }
}

/// Nothing cycles: neither in the class queue nor in the recorder's is anything left.
async fn nothing_is_left(bench: &Bench) {
    for name in [HINTS, "flotilla.v1.dead_recorder"] {
        eventually("the queue is empty", LONG, async || {
            let left = bench.vhost.queue(name).await.and_then(|queue| queue.messages);
            if left == Some(0) { Ok(()) } else { Err(format!("`{name}` holds {left:?}")) }
        })
        .await;
    }
}

async fn garbage_is_shown(queue_type: QueueType) {
    let Some(bench) = Bench::with(|options| options.queue_type = queue_type).await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    let subscriber = bench.subscribe(Subscription::All, 10).await.expect("subscribed");
    let letters = bench.dead_letters().await.expect("reads");
    let huge = vec![b'x'; 40_000];
    let newer = json!({"content_type": "application/vnd.flotilla.hint.v2", "message_id": "m-2"});
    for (body, properties, reason) in [
        (&b"not ours"[..], json!({"message_id": "m-1"}), "unparsable"),
        (&[2, 0, 1, b'q'][..], newer, "unknown_version"),
        (&huge[..], json!({"content_type": OURS}), "oversized"),
    ] {
        assert!(bench.vhost.publish_raw("", HINTS, body, properties.clone()).await);
        let poison = next_poison(&*letters).await;
        assert_eq!((poison.queue.as_str(), poison.reason.as_str(), poison.bytes), (HINTS, reason, body.len()));
        assert_eq!(poison.message_id.as_deref(), properties["message_id"].as_str());
        assert_eq!(poison.sample, body[..body.len().min(POISON_SAMPLE_BYTES_MAX)]);
    }
    bench.publish(&emissions(&normal(), 0..8, 8)).await.expect("published");
    assert_eq!(drain(&*subscriber, 8).await, ids(0..8), "hints go on");
    nothing_is_left(&bench).await;
    let shown = bench.vhost.queue("flotilla.v1.dead.q").await.and_then(|queue| queue.messages);
    assert_eq!(shown, Some(3), "operators see them too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_in_quorum_queues_is_shown() {
    garbage_is_shown(QueueType::Quorum).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_in_classic_queues_is_shown() {
    garbage_is_shown(QueueType::Classic).await;
}

/// A hint that a handler's side gave up, or that somebody moved, is healthy: its emission is sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_lettered_hint_is_sent_again_not_shown_as_poison() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    let subscriber = bench.subscribe(Subscription::All, 10).await.expect("subscribed");
    let letters = bench.dead_letters().await.expect("reads");
    bench.publish(&emissions(&normal(), 0..4, 4)).await.expect("published");
    let given_up = within("hints", LONG, subscriber.take(4)).await.expect("taken");
    given_up.into_iter().for_each(Delivery::dead_letter);
    let letter = within("a dead letter", LONG, letters.next()).await.expect("read");
    assert_eq!(*letter.content(), DeadContent::Hint { emission: row(0) });
    // Dropped, it is offered again.
    drop(letter);
    let letter = within("the same again", LONG, letters.next()).await.expect("read");
    assert_eq!(*letter.content(), DeadContent::Hint { emission: row(0) });
    letter.recorded();
    nothing_is_left(&bench).await;
}

/// What an operator moved to the wrong queue is found there, and does not run as what it is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hint_in_another_class_is_sent_again() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    bench.declare(&[queue()]).await.expect("declared");
    bench.publish(&emissions(&normal(), 0..1, 1)).await.expect("published");
    eventually("it is there", LONG, async || bench.vhost.queue(HINTS).await.and_then(|queue| queue.messages) == Some(1)).await;
    let moved = bench.vhost.get(HINTS, 1).await.pop().expect("a message");
    assert!(bench.vhost.publish_raw("", "flotilla.v1.q.p4", &moved.body, moved.properties).await);
    let _subscriber = bench.subscribe(Subscription::All, 10).await.expect("subscribed");
    let letters = bench.dead_letters().await.expect("reads");
    let letter = within("a dead letter", LONG, letters.next()).await.expect("read");
    assert_eq!(*letter.content(), DeadContent::Hint { emission: row(0) });
    letter.recorded();
}
