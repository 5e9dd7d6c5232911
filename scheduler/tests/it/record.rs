//! Do dead letters end up where they show, whatever is away?

use std::sync::atomic::Ordering;
use std::time::Duration;

use broker::DeadContent;
use coordination::{Nudge, Nudges};
use domain::{EmissionId, PoisonMessage};

use crate::distributed::Distributed;
use crate::running::{LONG, Running};
use crate::script::Plan;

const SECOND: Duration = Duration::from_secs(1);

fn hint(n: u8) -> DeadContent {
    DeadContent::Hint { emission: EmissionId::from_bytes([n; 16]) }
}

fn garbage(n: usize) -> DeadContent {
    DeadContent::Poison(poison(n))
}

fn poison(n: usize) -> PoisonMessage {
    PoisonMessage {
        queue: "flotilla.v1.test.p2".to_owned(),
        reason: "unparsable".to_owned(),
        message_id: Some(n.to_string()),
        bytes: 3,
        sample: vec![1, 2, 3],
    }
}

async fn recorded(stage: &Distributed, running: &Running, count: usize) {
    testkit::eventually("dead letters are recorded", LONG, async || {
        let (waiting, recorded, returned) = stage.broker.dead();
        let state = || format!("{waiting} wait, {recorded} are recorded, {returned} came back; {:?}", running.status("record"));
        if recorded >= count { Ok(()) } else { Err(state()) }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn poison_is_kept_and_healthy_hints_are_sent_again() {
    let stage = Distributed::new();
    let mut nudges = stage.nudges.listen();
    stage.broker.bury([garbage(1), hint(7), garbage(2)]);
    let running = stage.start();
    recorded(&stage, &running, 3).await;
    assert_eq!(*stage.ledger.poison.lock(), [poison(1), poison(2)]);
    assert_eq!(*stage.ledger.doubted.lock(), [EmissionId::from_bytes([7; 16])]);
    assert_eq!(testkit::within("a nudge", LONG, nudges.next()).await, Some(Nudge::Emissions));
    running.ran("record", 2).await;
    assert_eq!((running.items("record", "poison"), running.items("record", "hints")), (2, 1));
    assert_eq!(running.metrics.poison_messages.with_label_values(&["unparsable"]).get(), 2);
    assert_eq!(stage.broker.dead(), (0, 3, 0));
    running.stop().await;
}

/// I7: a flood is taken in small batches, one right after the other, and stops when it is asked to.
#[tokio::test(start_paused = true)]
async fn a_flood_is_drained_in_small_batches() {
    let stage = Distributed::new();
    stage.broker.bury((0..100).map(garbage));
    let running = stage.start();
    recorded(&stage, &running, 100).await;
    assert_eq!(*stage.ledger.poison.lock(), (0..100).map(poison).collect::<Vec<_>>());
    assert_eq!(stage.ledger.times("record_poison"), [Duration::ZERO; 7], "sixteen at a time");
    // Later ones are found at the next look.
    running.ran("record", 9).await;
    stage.broker.bury([garbage(100)]);
    recorded(&stage, &running, 101).await;
    running.stop().await;
}

/// A store outage must not make the broker offer the same letters again and again.
#[tokio::test(start_paused = true)]
async fn letters_are_held_while_the_store_is_away() {
    let stage = Distributed::new();
    stage.ledger.set_away(true);
    stage.broker.bury([garbage(1), hint(7), garbage(2)]);
    let running = stage.start();
    running.ran("record", 30).await;
    assert_eq!(stage.broker.dead(), (0, 0, 0), "in hand: neither recorded nor handed back");
    stage.ledger.set_away(false);
    recorded(&stage, &running, 3).await;
    assert_eq!(*stage.ledger.poison.lock(), [poison(1), poison(2)]);
    assert_eq!(running.metrics.poison_messages.with_label_values(&["unparsable"]).get(), 2, "counted when it is recorded");
    running.stop().await;
}

/// What is in hand at the end goes back to the broker, for the next scheduler.
#[tokio::test(start_paused = true)]
async fn letters_in_hand_are_handed_back_at_the_end() {
    let stage = Distributed::new();
    stage.ledger.set_away(true);
    stage.broker.bury([garbage(1), hint(7)]);
    let running = stage.start();
    running.ran("record", 2).await;
    running.stop().await;
    assert_eq!(stage.broker.dead(), (2, 0, 2));
}

/// One message that the store refuses keeps neither the others nor those that come after it.
#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_recorded_is_given_up_alone() {
    let stage = Distributed::new();
    stage.ledger.plan("record_poison", [Plan::Breaks, Plan::Does(0), Plan::Breaks, Plan::Does(0)]);
    stage.broker.bury((0..3).map(garbage));
    let running = stage.start();
    recorded(&stage, &running, 3).await;
    assert_eq!(*stage.ledger.poison.lock(), [poison(0), poison(2)]);
    assert_eq!(running.passes("record", "failed"), 0);
    assert_eq!(running.metrics.poison_messages.with_label_values(&["unparsable"]).get(), 2, "those that show");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_is_opened_again() {
    let stage = Distributed::new();
    stage.broker.is_away.store(true, Ordering::SeqCst);
    let running = stage.start();
    running.ran("record", 2).await;
    assert_eq!(running.passes("record", "failed"), 2);
    stage.broker.is_away.store(false, Ordering::SeqCst);
    running.ran("record", 3).await;
    stage.broker.end_streams();
    stage.broker.bury([garbage(1)]);
    let before = tokio::time::Instant::now();
    recorded(&stage, &running, 1).await;
    assert!(before.elapsed() <= 3 * SECOND, "{:?}", before.elapsed());
    running.stop().await;
}
