//! What a worker tells the store of the ends of attempts, and what a drain says of them.

use std::time::Duration;

use domain::{ClaimedJob, Progress, WaitingFor};
use runtime::Drained;
use store::{End, Until};
use testkit::eventually;

use crate::double::Mood;
use crate::player::SOON;
use crate::script::Step;
use crate::stage::Stage;

#[tokio::test(start_paused = true)]
async fn a_cancel_request_that_a_claim_meets_ends_the_job_unrun() {
    let stage = Stage::new(Mood::default()).await;
    let id = stage.job_with(&[Step::Succeed], |job| ClaimedJob { cancel_requested: true, ..job });
    stage.hint(&[id]).await;
    assert_eq!(stage.end_of(id).await.end, End::Cancelled);
    assert!(stage.log.started.lock().is_empty());
    assert!(stage.stop().await.clean);
}

/// A store that refuses an end for what is in it gets a bare one; the rest of the batch is not lost with it.
#[tokio::test(start_paused = true)]
async fn an_end_that_the_store_refuses_takes_no_other_with_it() {
    let stage = Stage::new(Mood::default()).await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(stage.runs(&[Step::OnCue]).await);
    }
    let poison = stage.runs(&[Step::OnCue]).await;
    stage.double.mood.lock().poison = Some(poison);
    stage.log.cue.cancel();
    let told = stage.end_of(poison).await;
    assert!(matches!(&told.end, End::Dead { failure } if failure.code == "end_not_recordable"), "{told:?}");
    for id in others {
        assert!(matches!(stage.end_of(id).await.end, End::Succeeded { .. }));
    }
    assert_eq!(stage.double.asked.lock().refused, [4, 1], "all at once, then it alone");
    assert_eq!(stage.double.asked.lock().settled.len(), 4, "each once");
    assert!(stage.stop().await.clean);
}

#[tokio::test(start_paused = true)]
async fn the_last_progress_is_told_with_every_end() {
    let stage = Stage::new(Mood::default()).await;
    let progress = |percent, message: Option<&str>| Some(Progress { percent, message: message.map(str::to_owned) });
    let succeeded = stage.end_of(stage.runs(&[Step::Talk]).await).await;
    let retried = stage.end_of(stage.runs(&[Step::ReportThenFail]).await).await;
    let dead = stage.end_of(stage.runs(&[Step::ReportThenRefuse]).await).await;
    assert!(matches!(succeeded.end, End::Succeeded { .. }) && succeeded.progress == progress(50, Some("half")), "{succeeded:?}");
    assert!(matches!(retried.end, End::Retry { .. }) && retried.progress == progress(30, Some("so far")), "{retried:?}");
    assert!(matches!(dead.end, End::Dead { .. }) && dead.progress == progress(40, None), "{dead:?}");
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_an_aborted_handler_is_dropped_is_a_failed_attempt() {
    let stage = Stage::new(Mood::default()).await;
    let id = stage.job_with(&[Step::PanicWhenDropped], |job| ClaimedJob { timeout: Duration::from_millis(100), ..job });
    stage.hint(&[id]).await;
    let told = stage.end_of(id).await;
    assert!(matches!(&told.end, End::Retry { failure, .. } if failure.code == "panicked"), "{told:?}");
    let renewals = || stage.double.asked.lock().renewed.len();
    let before = renewals();
    stage.nudge(id);
    let after = stage.runs(&[Step::Succeed]).await;
    stage.end_of(after).await;
    assert_eq!(renewals(), before, "a cancel of it is no business of this worker any more");
    assert_eq!(stage.stop().await, Drained { finished: 0, handed_back: 0, clean: true }, "nothing is left behind");
}

/// A handler that ends by itself has finished, also as cancelled; handed back is what was stopped by the drain.
#[tokio::test(start_paused = true)]
async fn a_drain_counts_what_finished_and_what_was_handed_back() {
    let stage = Stage::new(Mood::default()).await;
    let finishes = stage.runs(&[Step::FinishAnyway]).await;
    let (back, stubborn) = (stage.runs(&[Step::Wait]).await, stage.runs(&[Step::Hang]).await);
    let cancelled = stage.runs(&[Step::Hang]).await;
    stage.cancel(cancelled).await;
    let double = std::sync::Arc::clone(&stage.double);
    assert_eq!(stage.stop().await, Drained { finished: 2, handed_back: 2, clean: true });
    let end = |id| double.end_of(id).expect("told").end;
    assert!(matches!(end(finishes), End::Succeeded { .. }));
    assert_eq!(end(cancelled), End::Cancelled);
    for id in [back, stubborn] {
        assert!(matches!(end(id), End::Deferred { until: Until::Time { reason: WaitingFor::Time, .. }, failure: None }));
    }
    eventually("nothing runs", SOON, async || double.queued.lock().is_empty()).await;
}
