//! Runs duties: at their period, when nudged, at once when there is more. Knows nothing of what they do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use coordination::{Nudge, NudgeListener};
use domain::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::Parts;
use crate::duty::{Duty, DutyError, Next, Report};

/// How long one pass may take before it counts as failed.
const PASS_TIMEOUT: Duration = Duration::from_secs(30);
/// The time between a failed pass and the next, whatever happens meanwhile.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Between two passes of a duty that finds something due and can do nothing about it.
const BREATH: Duration = Duration::from_millis(50);

/// What is known of a duty in this process.
#[derive(Debug, Clone, Default)]
pub struct DutyStatus {
    pub runs: u64,
    pub last_at: Option<Timestamp>,
    pub last_did: Vec<(&'static str, usize)>,
    pub last_error: Option<String>,
}

/// The last report of each duty.
#[derive(Debug, Default)]
pub struct Board {
    statuses: Mutex<BTreeMap<&'static str, DutyStatus>>,
}

impl Board {
    pub fn statuses(&self) -> BTreeMap<&'static str, DutyStatus> {
        self.statuses.lock().clone()
    }

    fn note(&self, name: &'static str, at: Timestamp, result: &Result<Report, String>) {
        let mut statuses = self.statuses.lock();
        let status = statuses.entry(name).or_default();
        status.runs += 1;
        status.last_at = Some(at);
        match result {
            Ok(report) => {
                status.last_did.clone_from(&report.did);
                status.last_error = None;
            }
            Err(error) => status.last_error = Some(error.clone()),
        }
    }
}

/// When the next pass is due.
#[derive(Debug, Clone, Copy)]
enum Due {
    /// At this time, or when nudged.
    By(Instant),
    /// At this time: the last pass failed.
    At(Instant),
}

pub(crate) async fn drive<D: Duty>(duty: D, parts: Parts, board: Arc<Board>, shutdown: CancellationToken) {
    let duty = Arc::new(duty);
    loop {
        // A pass looks at everything, so that it answers all nudges of before.
        let mut nudges = parts.nudges.listen();
        let due = pass(&duty, &parts, &board).await;
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = wait(&*duty, &parts, &mut nudges, due) => {}
        }
    }
}

/// One pass; returns when the next is due.
async fn pass<D: Duty>(duty: &Arc<D>, parts: &Parts, board: &Board) -> Due {
    let started = Instant::now();
    let result = attempt(Arc::clone(duty)).await;
    let now = (parts.clock)();
    board.note(D::NAME, now, &result);
    let metrics = &parts.metrics;
    metrics.duty_seconds.with_label_values(&[D::NAME]).observe(started.elapsed().as_secs_f64());
    metrics.duty_runs.with_label_values(&[D::NAME, if result.is_ok() { "ok" } else { "failed" }]).inc();
    match result {
        Ok(report) => {
            for (what, count) in report.did.iter().filter(|(_, count)| *count > 0) {
                metrics.duty_items.with_label_values(&[D::NAME, what]).inc_by(u64::try_from(*count).unwrap_or(u64::MAX));
            }
            let idle = Instant::now() + duty.every();
            Due::By(match report.next {
                Next::Idle => idle,
                Next::Again => Instant::now(),
                // What is due and was left undone is somebody else's at this moment, or our clock is a little ahead.
                Next::At(at) if report.did.iter().all(|(_, count)| *count == 0) => idle.min(Instant::now() + at.since(now).max(BREATH)),
                Next::At(at) => idle.min(Instant::now() + at.since(now)),
            })
        }
        Err(error) => {
            tracing::warn!(duty = D::NAME, error, "a pass failed; the next one is the retry");
            Due::At(Instant::now() + AFTER_FAILURE)
        }
    }
}

/// Runs the duty once, in a task of its own: a panic costs the pass, not the duty.
async fn attempt<D: Duty>(duty: Arc<D>) -> Result<Report, String> {
    let task = AbortOnDropHandle::new(tokio::spawn(async move { duty.run().await }));
    match tokio::time::timeout(PASS_TIMEOUT, task).await {
        Ok(Ok(result)) => result.map_err(|error| chain(&error)),
        Ok(Err(_)) => Err("the pass panicked".to_owned()),
        Err(_) => Err("the pass took too long".to_owned()),
    }
}

/// Until the next pass is due: its time, a nudge it heeds, or a timer that is set for earlier.
async fn wait<D: Duty>(duty: &D, parts: &Parts, nudges: &mut NudgeListener, due: Due) {
    let mut wake = match due {
        Due::By(at) => at,
        Due::At(at) => return tokio::time::sleep_until(at).await,
    };
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(wake) => return,
            nudge = nudges.next() => match nudge {
                // Some were missed: look at everything.
                None => return,
                Some(nudge) if !duty.heeds(nudge) => {}
                Some(Nudge::Timer { at }) => wake = wake.min(Instant::now() + at.since((parts.clock)())),
                Some(_) => return,
            },
        }
    }
}

fn chain(error: &DutyError) -> String {
    let error: &dyn std::error::Error = error;
    std::iter::successors(error.source(), |cause| cause.source()).fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
