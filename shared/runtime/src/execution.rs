//! One attempt: layers around a handler, an outcome, a verdict, a settlement.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use domain::bounds::CANCEL_GRACE;
use domain::{Attempted, ClaimedJob, Failure, FailureClass, Outcome, RetryPolicy, Timestamp, Verdict, WaitingFor};
use futures_util::FutureExt;
use store::{End, Until};
use tokio::time::Instant;
use tracing::Instrument;

use crate::capture::captured;
use crate::handler::Registered;
use crate::holdings::StopWhy;
use crate::settler::Finished;
use crate::term::Term;
use crate::{JobContext, effect};

/// Runs a claimed job to its end. `None`: the lease was over before the end, so there is nothing to record; the
/// rescuer has (or will have) it.
async fn execute(term: Arc<Term>, job: ClaimedJob) -> Option<Finished> {
    if job.cancel_requested {
        return Some(finished(&job, End::Cancelled));
    }
    let Some(registered) = term.parts.registry.find(&job.kind) else {
        // A worker of another kind may know it; the upkeep releases it as soon as one is live.
        let until = Until::Freed { reason: WaitingFor::NoWorker, key: job.kind.to_string() };
        return Some(finished(&job, End::Deferred { until, failure: None }));
    };
    let stopper = term.holdings.started(job.id, job.run);
    let cx = JobContext::new(job, registered.info.effects, Arc::clone(&term), stopper);
    let started = Instant::now();
    let outcome = layered(&cx, registered).await;
    let progress = term.holdings.ended(cx.id(), cx.run());
    cx.ended();
    observe(&cx, outcome.as_ref(), started);
    let end = end_of(&cx, &registered.info.retry, outcome?);
    let (logs, output) = cx.capture().take();
    Some(Finished { logs, output, progress, ..finished(cx.job(), end) })
}

/// The layers, outermost first. There is no retry among them: a retry is a settled state, so that no slot is held by a
/// sleeping job (I8).
async fn layered(cx: &JobContext, registered: &Registered) -> Option<Outcome> {
    let job = cx.job();
    // Trace: sees every outcome, including those invented below.
    let span = tracing::info_span!("job", job.id = %job.id, job.kind = %job.kind, job.run = job.run, attempt = job.attempt, trace.id = %job.trace.trace_id());
    // Handler, at the core: decodes the payload and runs.
    let handler = registered.handler.run(&job.payload, cx);
    // Panic: a panic becomes a failed attempt. Inside the deadline, so that a panic during the grace is one, too.
    let handler = AssertUnwindSafe(handler).catch_unwind();
    let handler = async { handler.await.unwrap_or_else(|panic| Outcome::Failed(panicked(&*panic))) };
    // Capture: log lines of the handler alone, not of the layers.
    let handler = captured(cx.clone(), handler);
    // Deadline, cancel, drain and lease: one layer, because they stop a handler in the same way and one of them is first.
    stoppable(cx, handler).instrument(span).await
}

/// Asks the handler to stop when there is a reason to, and aborts it when it does not within its grace.
async fn stoppable(cx: &JobContext, handler: impl Future<Output = Outcome>) -> Option<Outcome> {
    let mut handler = std::pin::pin!(handler);
    let outcome = tokio::select! {
        biased;
        outcome = &mut handler => Some(outcome),
        () = cx.cancelled() => None,
        () = tokio::time::sleep_until(cx.ends_at()) => {
            cx.stopper().stop(StopWhy::Deadline);
            None
        }
        () = cx.term().lease.over() => {
            cx.stopper().stop(StopWhy::LeaseOver);
            None
        }
    };
    let outcome = match outcome {
        Some(outcome) => Some(outcome),
        None => tokio::time::timeout(CANCEL_GRACE, handler).await.ok(),
    };
    match (outcome, cx.stopper().why()) {
        (Some(outcome), None) => Some(outcome),
        // What was done is done: a success counts, however late it was asked to stop.
        (Some(outcome @ Outcome::Succeeded { .. }), Some(_)) => Some(outcome),
        (_, Some(why)) => stopped(cx, why),
        (None, None) => None,
    }
}

/// The outcome of a handler that did not succeed after it was asked to stop.
fn stopped(cx: &JobContext, why: StopWhy) -> Option<Outcome> {
    match why {
        StopWhy::Cancelled => {
            Some(Outcome::Failed(Failure::new(FailureClass::Cancelled, "cancelled", "the handler stopped because it was asked to")))
        }
        StopWhy::Deadline => {
            let message = format!("the attempt did not end within {}", domain::format_duration(cx.job().timeout));
            Some(Outcome::Failed(
                Failure::new(FailureClass::Timeout, "timeout", message).with_hint("raise the job's `timeout`, or split its work"),
            ))
        }
        StopWhy::Drain => {
            cx.term().handed_back.fetch_add(1, Ordering::AcqRel);
            Some(Outcome::Deferred { reason: WaitingFor::Time, key: None })
        }
        StopWhy::LeaseOver => None,
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Failure {
    let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    let message = words.map_or_else(|| "the handler panicked".to_owned(), |words| format!("the handler panicked: {words}"));
    Failure::new(FailureClass::Panicked, "panicked", message).with_hint("this is a bug in the handler")
}

fn end_of(cx: &JobContext, policy: &RetryPolicy, outcome: Outcome) -> End {
    match (cx.held(), &outcome) {
        (Some(key), Outcome::Failed(failure)) if failure.code == effect::UNKNOWN => {
            let until = Until::Freed { reason: WaitingFor::Signal, key: key.to_owned() };
            End::Deferred { until, failure: Some(failure.clone()) }
        }
        _ => decided(cx.job(), policy, outcome, cx.now()),
    }
}

/// What policy says, as an end to record.
fn decided(job: &ClaimedJob, policy: &RetryPolicy, outcome: Outcome, now: Timestamp) -> End {
    let on = Attempted { attempt: job.attempt, max_attempts: job.max_attempts, due_at: job.due_at };
    match policy.verdict(outcome, on, now, rand::random::<f64>()) {
        Verdict::Succeed { result } => End::Succeeded { result },
        Verdict::Retry { at, failure } => End::Retry { at, failure },
        Verdict::Defer { at, failure } => {
            End::Deferred { until: Until::Time { at, reason: WaitingFor::RateLimit }, failure: Some(failure) }
        }
        Verdict::Park { reason, key: Some(key) } => End::Deferred { until: Until::Freed { reason, key }, failure: None },
        Verdict::Park { reason, key: None } => End::Deferred { until: Until::Time { at: now, reason }, failure: None },
        Verdict::Die { failure } => End::Dead { failure },
        Verdict::Cancel => End::Cancelled,
    }
}

/// Runs a claimed job to its end, whatever happens: also a panic where none is expected, such as while an aborted handler is
/// dropped, ends in a settlement. Without one the job would stay running for as long as this worker lives.
pub(crate) async fn execute_surely(term: Arc<Term>, job: ClaimedJob) -> Option<Finished> {
    match AssertUnwindSafe(execute(Arc::clone(&term), job.clone())).catch_unwind().await {
        Ok(finished) => finished,
        Err(panic) => {
            tracing::error!(job.id = %job.id, job.kind = %job.kind, job.run = job.run, "a panic outside the handler's own run; counted as a failed attempt");
            term.holdings.ended(job.id, job.run);
            let policy = term.parts.registry.find(&job.kind).map_or_else(RetryPolicy::default, |registered| registered.info.retry);
            let end = decided(&job, &policy, Outcome::Failed(panicked(&*panic)), (term.parts.clock)());
            Some(finished(&job, end))
        }
    }
}

fn finished(job: &ClaimedJob, end: End) -> Finished {
    Finished { job: job.id, run: job.run, claim: job.claim, end, logs: Vec::new(), output: None, progress: None }
}

fn observe(cx: &JobContext, outcome: Option<&Outcome>, started: Instant) {
    let metrics = &cx.term().parts.metrics;
    let (queue, kind) = (cx.job().queue.as_str(), cx.job().kind.as_str());
    let outcome = match outcome {
        Some(Outcome::Succeeded { .. }) => "succeeded",
        Some(Outcome::Failed(failure)) => failure.class.as_str(),
        Some(Outcome::Deferred { .. }) => "deferred",
        None => "abandoned",
    };
    metrics.job_run_seconds.with_label_values(&[queue, kind]).observe(started.elapsed().as_secs_f64());
    metrics.jobs_settled.with_label_values(&[queue, kind, outcome]).inc();
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(job.id = %cx.id(), job.kind = kind, job.run = cx.run(), attempt = cx.attempt(), outcome, elapsed_ms, "an attempt ended");
}
