//! What a handler knows of its job and may do besides its work.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use coordination::{FeedEntry, FeedEvent, FeedId};
use domain::bounds::FEED_OUTPUT_BYTES_MAX;
use domain::{ClaimedJob, EffectPolicy, Failure, JobId, Progress, Run, TenantId, Timestamp, TraceContext};
use store::{Actor, EffectCall, LogLine};
use tokio::time::Instant;

use crate::capture::{SharedCapture, event_of};
use crate::effect::{self, Effect};
use crate::holdings::{StopWhy, Stopper};
use crate::term::Term;

/// One attempt at one job, as its handler sees it. Cheap to clone.
#[derive(Clone)]
pub struct JobContext {
    inner: Arc<Inner>,
}

struct Inner {
    job: ClaimedJob,
    stable_key: String,
    effects: EffectPolicy,
    deadline: Instant,
    term: Arc<Term>,
    stopper: Stopper,
    capture: SharedCapture,
    /// The number of the last live event of this run.
    seq: AtomicU64,
    /// The parking key of an effect that a person must resolve.
    held: OnceLock<String>,
}

impl JobContext {
    pub(crate) fn new(job: ClaimedJob, effects: EffectPolicy, term: Arc<Term>, stopper: Stopper) -> Self {
        let stable_key = job.stable_key();
        let deadline = Instant::now() + job.timeout;
        let (capture, seq, held) = (SharedCapture::default(), AtomicU64::new(0), OnceLock::new());
        Self { inner: Arc::new(Inner { job, stable_key, effects, deadline, term, stopper, capture, seq, held }) }
    }

    pub fn id(&self) -> JobId {
        self.inner.job.id
    }

    pub fn tenant(&self) -> &TenantId {
        &self.inner.job.tenant
    }

    /// The number of this try, from 1.
    pub fn attempt(&self) -> u16 {
        self.inner.job.attempt
    }

    pub fn max_attempts(&self) -> u16 {
        self.inner.job.max_attempts
    }

    /// The number of this claim: the fence.
    pub fn run(&self) -> Run {
        self.inner.job.run
    }

    pub fn trace(&self) -> TraceContext {
        self.inner.job.trace
    }

    /// The store's clock.
    pub fn now(&self) -> Timestamp {
        (self.inner.term.parts.clock)()
    }

    /// When the attempt's time is up, by the store's clock.
    pub fn deadline(&self) -> Timestamp {
        self.now() + self.remaining()
    }

    /// How long the handler may still run.
    pub fn remaining(&self) -> Duration {
        self.inner.deadline.saturating_duration_since(Instant::now())
    }

    /// The key under which to make external effects: the same on every attempt, another after an edited replay (I6).
    pub fn idempotency_key(&self) -> &str {
        &self.inner.stable_key
    }

    /// Who acts when this handler changes something besides its job.
    pub fn actor(&self) -> Actor {
        let name = format!("worker:{}", self.inner.term.lease.worker());
        Actor { tenant: self.inner.job.tenant.clone(), name, request_id: self.inner.job.id.to_string() }
    }

    /// Completes when the handler should stop: cancelled, out of time, the worker drains or lost its lease.
    pub async fn cancelled(&self) {
        self.inner.stopper.token().cancelled().await;
    }

    pub fn is_cancelled(&self) -> bool {
        self.inner.stopper.token().is_cancelled()
    }

    /// Whether the reason to stop is that somebody asked for it, and is waiting, rather than time, a drain or the lease.
    pub fn is_cancelled_by_request(&self) -> bool {
        self.inner.stopper.why() == Some(StopWhy::Cancelled)
    }

    /// Tells how far the job has come; shown live, and recorded with the next lease renewal.
    pub fn progress(&self, percent: u8, message: Option<&str>) {
        let progress = Progress { percent: percent.min(100), message: message.map(str::to_owned) };
        self.inner.term.holdings.progress(self.id(), self.run(), progress.clone());
        self.emit(FeedEvent::Progress(progress));
    }

    /// Appends to the job's live output, which is also kept with the job, up to 1 MiB.
    pub fn output(&self, text: &str) {
        self.inner.capture.output(text);
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.floor_char_boundary(FEED_OUTPUT_BYTES_MAX));
            self.emit(FeedEvent::Output { text: piece.to_owned() });
            rest = after;
        }
    }

    /// Announces an external effect. `name` is unique within the job; `key` is what the other side will see, usually
    /// [`JobContext::idempotency_key`]. The intent is durable before this returns, so that a crash in between is known.
    ///
    /// # Errors
    /// If the lease is over, the store is away, or the effect's outcome is unknown and its kind holds such effects for a
    /// person. Return the failure as it is.
    pub async fn effect(&self, name: &str, key: &str) -> Result<Effect, Failure> {
        let Inner { job, term, .. } = &*self.inner;
        let call = EffectCall { worker: term.lease.worker(), job: job.id, run: job.run, name: name.to_owned(), key: key.to_owned() };
        effect::begin(self, call).await
    }

    pub(crate) fn job(&self) -> &ClaimedJob {
        &self.inner.job
    }

    pub(crate) fn term(&self) -> &Term {
        &self.inner.term
    }

    pub(crate) fn effects(&self) -> EffectPolicy {
        self.inner.effects
    }

    pub(crate) fn stopper(&self) -> &Stopper {
        &self.inner.stopper
    }

    pub(crate) fn ends_at(&self) -> Instant {
        self.inner.deadline
    }

    pub(crate) fn capture(&self) -> &SharedCapture {
        &self.inner.capture
    }

    pub(crate) fn hold(&self, key: String) {
        let _ = self.inner.held.set(key);
    }

    pub(crate) fn held(&self) -> Option<&str> {
        self.inner.held.get().map(String::as_str)
    }

    pub(crate) fn log_line(&self, level: String, message: String) {
        let line = LogLine { at: self.now(), level, message };
        self.emit(event_of(&line));
        self.inner.capture.line(line);
    }

    /// Closes the live feed of this run, if anything was said.
    pub(crate) fn ended(&self) {
        if self.inner.seq.load(Ordering::Acquire) > 0 {
            self.emit(FeedEvent::Ended);
        }
    }

    fn emit(&self, event: FeedEvent) {
        let seq = self.inner.seq.fetch_add(1, Ordering::AcqRel) + 1;
        let id = FeedId { run: self.run(), seq };
        self.inner.term.feedline.send(self.id(), FeedEntry { id, event });
    }
}
