//! Is what the broker never confirmed sent again, and only when it takes it?

use std::time::Duration;

use coordination::{Nudge, Nudges};
use domain::EmissionId;

use crate::distributed::Distributed;
use crate::running::Running;
use crate::script::Plan;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
/// 32 ids each make a thousand.
const AT_ONCE: usize = 31;

fn ids(emissions: &[domain::Emission]) -> Vec<EmissionId> {
    emissions.iter().map(|emission| emission.id).collect()
}

async fn published(stage: &Distributed, running: &Running, count: usize) {
    testkit::eventually("the broker was told", crate::running::LONG, async || {
        let published = stage.broker.ids().len();
        if published >= count { Ok(()) } else { Err(format!("{published}, {:?}", running.status("resend"))) }
    })
    .await;
}

/// I1, I16: it looks each second, and goes on at once while there is more, in bounded steps.
#[tokio::test(start_paused = true)]
async fn what_was_never_confirmed_is_sent_again() {
    let stage = Distributed::new();
    let due = stage.make_due(100);
    let running = stage.start();
    published(&stage, &running, 100).await;
    assert_eq!(stage.broker.ids(), ids(&due), "once each, oldest first");
    running.ran("resend", 4).await;
    assert_eq!(stage.ledger.times("unconfirmed"), [Duration::ZERO; 4], "31, 62, 7, and no more");
    let later = stage.make_due(1);
    published(&stage, &running, 101).await;
    assert_eq!(stage.broker.ids()[100..], ids(&later));
    running.ran("resend", 6).await;
    assert_eq!(stage.ledger.times("unconfirmed")[4], SECOND);
    assert_eq!((running.items("resend", "sent"), running.items("resend", "refused")), (101, 0));
    running.stop().await;
}

/// What the ledger gives is put off, so it is asked for nothing that the broker would not take.
#[tokio::test(start_paused = true)]
async fn a_broker_that_takes_nothing_costs_no_emission_its_turn() {
    let stage = Distributed::new();
    let due = stage.make_due(100);
    stage.broker.make_room(10);
    let running = stage.start();
    running.ran("resend", 60).await;
    assert_eq!(stage.ledger.times("unconfirmed").len(), 1, "one step was refused, and none was asked for since");
    assert_eq!(stage.broker.ids(), ids(&due[..10]));
    let elapsed = stage.later(Duration::ZERO).await;
    assert_eq!(stage.broker.offers(), 60, "what was refused is offered each second");
    assert!((59 * SECOND..60 * SECOND).contains(&elapsed), "{elapsed:?}");
    assert!(running.did("resend", "refused") == AT_ONCE - 10, "{:?}", running.status("resend"));

    stage.broker.make_room(1_000);
    published(&stage, &running, 100).await;
    assert_eq!(stage.broker.ids(), ids(&due), "nothing was forgotten, nothing doubled");
    assert!(stage.ledger.times("unconfirmed")[1] <= 61 * SECOND);
    running.stop().await;
}

/// While it is refused, every producer nudges; that must not make it ask the broker thousands of times.
#[tokio::test(start_paused = true)]
async fn nudges_are_not_heeded_while_the_broker_refuses() {
    let stage = Distributed::new();
    stage.make_due(5);
    stage.broker.make_room(0);
    let running = stage.start();
    running.ran("resend", 1).await;
    for _ in 0..100 {
        stage.later(5 * MS).await;
        stage.nudges.nudge(Nudge::Emissions);
        tokio::task::yield_now().await;
    }
    running.ran("resend", 2).await;
    assert_eq!(stage.broker.offers(), 2, "at the start and a second later");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_nudge_makes_it_look_but_a_storm_does_not() {
    let stage = Distributed::new();
    let running = stage.start();
    running.ran("resend", 1).await;
    let nudged = stage.later(300 * MS).await;
    stage.nudges.nudge(Nudge::Emissions);
    assert_eq!(stage.ledger.nth("unconfirmed", 2).await, nudged);
    running.ran("resend", 2).await;
    for _ in 0..100 {
        stage.later(MS).await;
        stage.nudges.nudge(Nudge::Emissions);
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.ledger.nth("unconfirmed", 3).await, nudged + SECOND, "its period is enough for those");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_asked_again_a_second_later() {
    let stage = Distributed::new();
    stage.ledger.plan("unconfirmed", [Plan::Fails]);
    let due = stage.make_due(3);
    let running = stage.start();
    published(&stage, &running, 3).await;
    assert_eq!(stage.broker.ids(), ids(&due));
    assert_eq!(stage.ledger.times("unconfirmed")[..2], [Duration::ZERO, SECOND]);
    assert_eq!(running.passes("resend", "failed"), 1);
    running.stop().await;
}
