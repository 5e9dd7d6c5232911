//! Does the driver run passes at their time, bound them, and end with them?

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::running::Running;
use crate::script::Plan;
use crate::stage::Stage;

const SECOND: Duration = Duration::from_secs(1);
const DUTIES: [(&str, &str, u64); 4] =
    [("promote", "promote", 1_000), ("release", "release", 2_000), ("rescue", "rescue", 1_000), ("retain", "retain", 60_000)];

#[tokio::test(start_paused = true)]
async fn every_duty_runs_at_its_start_and_at_its_period() {
    let stage = Stage::new();
    let running = stage.start();
    for (duty, method, period) in DUTIES {
        let period = Duration::from_millis(period);
        stage.upkeep.nth(method, 3).await;
        assert_eq!(stage.upkeep.times(method)[..3], [Duration::ZERO, period, 2 * period], "{duty}");
    }
    let resent = running.passes("resend", "ok");
    assert!((240..=241).contains(&resent), "every 500 ms for two minutes: {resent}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_pass_is_noted_and_repeated_a_second_later() {
    let stage = Stage::new();
    stage.upkeep.plan("release", [Plan::Does(5), Plan::Fails, Plan::Does(3)]);
    let running = stage.start();
    running.ran("release", 2).await;
    let status = running.status("release");
    assert_eq!(status.last_error.as_deref(), Some("the store is unavailable while release: the disk is gone"), "with its causes");
    assert_eq!(status.last_at, Some(stage.at(2 * SECOND)));
    assert_eq!(status.last_did, [("released", 5)], "what was done before");

    assert_eq!(stage.upkeep.nth("release", 3).await, 3 * SECOND);
    running.ran("release", 3).await;
    let status = running.status("release");
    assert_eq!((status.last_error, status.last_did), (None, vec![("released", 3)]));
    assert_eq!((running.passes("release", "ok"), running.passes("release", "failed")), (2, 1));
    assert_eq!(running.items("release", "released"), 8);
    assert_eq!(running.passes("promote", "failed"), 0, "the others go on");
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_hangs_ends() {
    let stage = Stage::new();
    stage.upkeep.plan("promote", [Plan::Hangs]);
    let running = stage.start();
    assert_eq!(stage.upkeep.nth("promote", 2).await, 31 * SECOND, "thirty for the pass, one until the next");
    assert_eq!(running.passes("promote", "failed"), 1);
    assert!(running.metrics.duty_seconds.with_label_values(&["promote"]).get_sample_sum() >= 30.0);
    assert_eq!(stage.upkeep.times("release").len(), 16, "the others go on");
}

#[tokio::test(start_paused = true)]
async fn what_hung_is_noted() {
    let stage = Stage::new();
    stage.upkeep.plan("promote", [Plan::Hangs]);
    let running = stage.start();
    running.ran("promote", 1).await;
    assert_eq!(running.status("promote").last_error.as_deref(), Some("the pass took too long"));
}

/// A bug in a duty costs a pass, never the duty.
#[tokio::test(start_paused = true)]
async fn a_pass_that_panics_is_a_failed_one() {
    let stage = Stage::new();
    stage.upkeep.plan("promote", [Plan::Panics, Plan::Does(2)]);
    let running = stage.start();
    running.ran("promote", 1).await;
    assert_eq!(running.status("promote").last_error.as_deref(), Some("the pass panicked"));
    assert_eq!(stage.upkeep.nth("promote", 2).await, SECOND);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn it_stops_when_the_pass_in_hand_has_ended() {
    let stage = Stage::new();
    let done = CancellationToken::new();
    stage.upkeep.plan("retain", [Plan::HangsUntil(done.clone())]);
    let running = stage.start();
    running.ran("promote", 3).await;
    running.ask_to_stop();
    let calls = |running: &Running| DUTIES.map(|(duty, ..)| running.status(duty).runs);
    // Long enough for every other duty to come up again, were it still there.
    let before = calls(&running);
    tokio::time::advance(5 * SECOND).await;
    tokio::task::yield_now().await;
    assert!(!running.has_stopped(), "a pass is never cut");
    assert_eq!(calls(&running), before);
    done.cancel();
    let board = std::sync::Arc::clone(&running.board);
    running.stop().await;
    assert_eq!(board.statuses()["retain"].runs, 1, "the pass was finished and noted, and none followed");
}

#[tokio::test(start_paused = true)]
async fn it_stops_at_once_when_nothing_is_in_hand() {
    let stage = Stage::new();
    let running = stage.start();
    for duty in ["promote", "release", "rescue", "resend", "retain"] {
        running.ran(duty, 1).await;
    }
    let before = tokio::time::Instant::now();
    running.stop().await;
    assert_eq!(before.elapsed(), Duration::ZERO);
}

/// I9: whatever there is to do is done in bounded passes, one right after the other.
#[tokio::test(start_paused = true)]
async fn a_duty_with_more_to_do_stops_all_the_same() {
    let stage = Stage::new();
    stage.upkeep.plan("release", std::iter::repeat_n(Plan::Does(1_000), 1_000_000));
    let running = stage.start();
    stage.upkeep.nth("release", 3).await;
    running.stop().await;
    assert!(stage.upkeep.times("release").len() < 1_000);
}
