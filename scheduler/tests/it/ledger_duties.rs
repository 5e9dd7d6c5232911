//! Do the duties that keep store and broker in step do so, at their pace and in bounded steps?

use std::sync::atomic::Ordering;
use std::time::Duration;

use coordination::Nudges;
use domain::JobId;
use store::Outstanding;

use crate::distributed::Distributed;
use crate::running::LONG;
use crate::script::Plan;

const SECOND: Duration = Duration::from_secs(1);

async fn announced(stage: &Distributed, count: usize) {
    testkit::eventually("the dead are announced", LONG, async || stage.broker.announced.lock().len() >= count).await;
}

#[tokio::test(start_paused = true)]
async fn reconciliation_goes_on_while_there_is_more() {
    let stage = Distributed::new();
    stage.ledger.plan("reconcile", [Plan::Does(1_000), Plan::Settles(1_000), Plan::Does(3), Plan::Fails]);
    let mut nudges = stage.nudges.listen();
    let running = stage.start();
    stage.ledger.nth("reconcile", 5).await;
    assert_eq!(stage.ledger.times("reconcile"), [0, 0, 0, 5, 6].map(|second| second * SECOND));
    assert_eq!((running.items("reconcile", "unsent"), running.items("reconcile", "settled")), (1_003, 1_000));
    // What was found is sent again at once: a nudge for each pass that found something.
    for _ in 0..2 {
        assert_eq!(testkit::within("a nudge", LONG, nudges.next()).await, Some(coordination::Nudge::Emissions));
    }
    assert!(tokio::time::timeout(Duration::ZERO, nudges.next()).await.is_err(), "nothing found, nobody nudged");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_dead_are_announced_once_each() {
    let stage = Distributed::new();
    let notices = stage.notices(250);
    stage.ledger.unannounced.lock().extend_from_slice(&notices);
    let running = stage.start();
    announced(&stage, 250).await;
    running.ran("announce", 4).await;
    let jobs: Vec<JobId> = notices.iter().map(|notice| notice.job).collect();
    assert_eq!(*stage.broker.announced.lock(), jobs, "in their order");
    assert_eq!(stage.ledger.times("announced").len(), 3, "a hundred at a time");
    assert_eq!(stage.ledger.times("unannounced")[..4], [Duration::ZERO, Duration::ZERO, Duration::ZERO, 2 * SECOND]);
    assert_eq!(running.items("announce", "announced"), 250);
    running.stop().await;
}

/// At least once: what was not confirmed, or not noted, is told again; what was, is not.
#[tokio::test(start_paused = true)]
async fn only_those_that_were_told_are_noted() {
    let stage = Distributed::new();
    let notices = stage.notices(3);
    stage.ledger.unannounced.lock().extend_from_slice(&notices);
    stage.broker.mute_about.lock().push(notices[1].job);
    stage.broker.is_away.store(true, Ordering::SeqCst);
    let running = stage.start();
    running.ran("announce", 3).await;
    assert_eq!((running.passes("announce", "failed"), stage.ledger.unannounced.lock().len()), (3, 3), "the broker is away");
    stage.broker.is_away.store(false, Ordering::SeqCst);
    announced(&stage, 2).await;
    running.ran("announce", 4).await;
    assert_eq!(*stage.ledger.unannounced.lock(), notices[1..2]);
    assert_eq!((running.did("announce", "announced"), running.did("announce", "untold")), (2, 1));
    stage.broker.mute_about.lock().clear();
    stage.ledger.plan("announced", [Plan::Fails]);
    announced(&stage, 4).await;
    running.ran("announce", 7).await;
    assert_eq!(stage.broker.announced.lock()[2..], [notices[1].job, notices[1].job], "twice, because it was not noted");
    assert!(stage.ledger.unannounced.lock().is_empty());
    running.stop().await;
}

/// Partitions are made at the start, each hour, and a second after that failed.
#[tokio::test(start_paused = true)]
async fn room_is_made_ahead_of_time() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let stage = Distributed::new();
    stage.upkeep.plan("prepare", [Plan::Does(8), Plan::Fails, Plan::Does(2)]);
    let running = stage.start();
    let shown = || {
        let text = String::from_utf8(running.metrics.render().expect("rendered")).expect("text");
        text.lines().find_map(|line| line.strip_prefix("flotilla_partitions_ahead ").map(str::to_owned))
    };
    assert_eq!(shown(), None, "not known yet, so not 0");
    running.ran("prepare", 1).await;
    assert_eq!(shown().as_deref(), Some("8"));
    stage.later(HOUR).await;
    running.ran("prepare", 3).await;
    assert_eq!(shown().as_deref(), Some("2"));
    let times = stage.upkeep.times("prepare");
    assert_eq!(times.len(), 3);
    assert_eq!((times[0], times[2] - times[1]), (Duration::ZERO, SECOND));
    assert!((HOUR..HOUR + SECOND).contains(&times[1]), "{times:?}");
    assert_eq!(running.items("prepare", "made"), 4);
    running.stop().await;
}

/// I15: a size that is not known is not shown.
#[tokio::test(start_paused = true)]
async fn the_size_of_the_ledger_is_shown_while_it_is_known() {
    let stage = Distributed::new();
    *stage.ledger.outstanding.lock() = Outstanding { unconfirmed: 7, confirmed: 40 };
    stage.ledger.plan("outstanding", [Plan::Does(0), Plan::Fails]);
    let running = stage.start();
    let shown = || {
        let text = String::from_utf8(running.metrics.render().expect("rendered")).expect("text");
        text.lines().filter(|line| line.starts_with("flotilla_emissions{")).map(str::to_owned).collect::<Vec<_>>()
    };
    running.ran("stats", 1).await;
    assert_eq!(shown(), ["flotilla_emissions{state=\"confirmed\"} 40", "flotilla_emissions{state=\"unconfirmed\"} 7"]);
    running.ran("stats", 2).await;
    assert_eq!(shown(), [""; 0]);
    running.ran("stats", 3).await;
    assert_eq!(shown().len(), 2);
    assert_eq!(stage.ledger.times("outstanding"), [0, 10, 11].map(|second| second * SECOND));
    running.stop().await;
}

/// I9: one process, no ledger: none of them runs.
#[tokio::test(start_paused = true)]
async fn without_a_ledger_none_of_them_runs() {
    let stage = crate::stage::Stage::new();
    let running = stage.start();
    running.ran("rescue", 10).await;
    let duties: Vec<&str> = running.board.statuses().into_keys().collect();
    assert_eq!(duties, ["operate", "promote", "release", "rescue", "resend", "retain"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn all_of_them_stop() {
    let stage = Distributed::new();
    let running = stage.start();
    for duty in ["prepare", "reconcile", "announce", "record", "stats", "resend"] {
        running.ran(duty, 1).await;
    }
    let before = tokio::time::Instant::now();
    running.stop().await;
    assert_eq!(before.elapsed(), Duration::ZERO, "nothing was in hand");
}
