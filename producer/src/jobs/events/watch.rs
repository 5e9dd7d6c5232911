//! Follows one job for one reader: states from the store, everything else from the live feed, the job's end last.

use std::sync::Arc;
use std::time::Duration;

use coordination::{Feed, FeedEvent, FeedId, FeedPage};
use domain::{Job, JobId, JobState, Priority, TenantId, Timestamp, WaitingFor, WorkerId};
use store::{Reports, StoreError};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::frame::{self, GAP, PING, RETRY};
use super::looks::Looks;
use super::outlet::{Outlet, ReaderGone};

const PING_EVERY: Duration = Duration::from_secs(15);
/// A stream ends after this, so that a revoked key does not listen for long. The reader connects again and loses nothing.
const LASTS: Duration = Duration::from_secs(300);
/// Events of one piece: few, because each may have 16 KiB and every reader may be slow.
const PAGE_EVENTS: usize = 8;
/// How long the feed may take to answer.
const FEED_WITHIN: Duration = Duration::from_secs(2);
/// How long the last events of a run may be on their way when the store has its end already.
const TAIL_WITHIN: Duration = Duration::from_millis(500);
/// The same for a run that said nothing so far: it hardly will.
const SILENT_TAIL_WITHIN: Duration = Duration::from_millis(50);

/// What a reader is told of a job when it changes.
#[derive(PartialEq, Eq)]
struct Shown {
    state: (JobState, Option<WaitingFor>),
    run: u32,
    attempt: u16,
    priority: Priority,
    run_at: Timestamp,
    worker: Option<WorkerId>,
    cancel_requested: bool,
}

impl Shown {
    fn of(job: &Job) -> Self {
        let Job { state, waiting_for, run, attempt, priority, run_at, worker, cancel_requested, .. } = job;
        let state = (*state, *waiting_for);
        let (run, attempt, priority, run_at) = (*run, *attempt, *priority, *run_at);
        Self { state, run, attempt, priority, run_at, worker: *worker, cancel_requested: *cancel_requested }
    }
}

/// What a look at the store found.
pub enum Look {
    There(Box<Job>),
    /// It is not there, or not any more, or another tenant's.
    Gone,
}

/// Why listening to the feed was interrupted.
enum Heard {
    /// It is time to look at the store.
    TimeToLook,
    /// The stream is over.
    Over,
}

pub struct Watch {
    reports: Arc<dyn Reports>,
    feed: Arc<dyn Feed>,
    stopping: CancellationToken,
    outlet: Outlet,
    tenant: TenantId,
    id: JobId,
    /// The last event of the feed that was passed on.
    after: Option<FeedId>,
    /// The end of a run that no state has followed yet.
    ended: Option<FeedId>,
    shown: Option<Shown>,
    looks: Looks,
    ping_at: Instant,
}

/// Whose job, which, and behind which event of its feed to go on.
pub struct Aim {
    pub tenant: TenantId,
    pub id: JobId,
    pub after: Option<FeedId>,
}

impl Watch {
    pub fn new(live: &super::Live, aim: Aim, outlet: Outlet) -> Self {
        let Aim { tenant, id, after } = aim;
        let (reports, feed, stopping) = (Arc::clone(&live.reports), Arc::clone(&live.feed), live.stopping.clone());
        let ping_at = Instant::now() + PING_EVERY;
        Self { reports, feed, stopping, outlet, tenant, id, after, ended: None, shown: None, looks: Looks::start(), ping_at }
    }

    pub async fn look(&self) -> Result<Look, StoreError> {
        // By its id among several: so it comes without its payload and result.
        let found = self.reports.jobs_by_id(&self.tenant, &[self.id]).await?;
        Ok(found.into_iter().next().map_or(Look::Gone, |job| Look::There(Box::new(job))))
    }

    /// Until the job has ended, the reader is gone, or the stream is over for another reason.
    pub async fn run(mut self, job: Box<Job>) {
        if self.follow(job).await.is_err() {
            tracing::debug!(job.id = %self.id, "the reader of a job's events is gone");
        }
    }

    async fn follow(&mut self, mut job: Box<Job>) -> Result<(), ReaderGone> {
        let until = Instant::now() + LASTS;
        self.outlet.send(RETRY).await?;
        if self.after.is_some() && !self.is_kept().await {
            self.outlet.send(GAP).await?;
        }
        loop {
            if job.state.is_terminal() {
                return self.farewell(&job).await;
            }
            self.show(&job).await?;
            loop {
                match self.listen(until).await? {
                    Heard::TimeToLook => {}
                    Heard::Over => return Ok(()),
                }
                match self.look().await {
                    Ok(Look::There(now)) => {
                        job = now;
                        break;
                    }
                    Ok(Look::Gone) => return Ok(()),
                    // Away: what the feed says is passed on meanwhile, and the next look comes.
                    Err(error) => {
                        tracing::debug!(error = telemetry::chain(&error), "the store could not be asked for a job that is followed");
                        self.looks.found_nothing();
                    }
                }
            }
        }
    }

    /// Whether the feed has anything of this job: if not, nobody knows what followed the event that the reader had last.
    async fn is_kept(&self) -> bool {
        let oldest = timeout(FEED_WITHIN, self.feed.read(self.id, None, 1)).await;
        oldest.is_ok_and(|page| page.is_ok_and(|page| !page.entries.is_empty()))
    }

    /// Tells how the job stands if the reader does not know yet.
    async fn show(&mut self, job: &Job) -> Result<(), ReaderGone> {
        let now = Some(Shown::of(job));
        if self.shown == now {
            self.looks.found_nothing();
            return Ok(());
        }
        self.shown = now;
        self.looks.happened();
        let id = self.ended.take();
        self.outlet.send(frame::state(job, id)).await
    }

    /// Passes on what the feed has until it is time to look at the store.
    async fn listen(&mut self, until: Instant) -> Result<Heard, ReaderGone> {
        loop {
            let page = tokio::select! {
                biased;
                () = self.stopping.cancelled() => return Ok(Heard::Over),
                () = self.outlet.closed() => return Err(ReaderGone),
                () = sleep_until(until) => return Ok(Heard::Over),
                () = sleep_until(self.looks.next()) => return Ok(Heard::TimeToLook),
                () = sleep_until(self.ping_at) => None,
                page = self.feed.follow(self.id, self.after, PAGE_EVENTS) => Some(page),
            };
            match page {
                None => {
                    self.ping_at = Instant::now() + PING_EVERY;
                    self.outlet.send(PING).await?;
                }
                Some(Ok(page)) => {
                    let began = page.entries.last().is_some_and(|entry| self.shown.as_ref().is_none_or(|shown| entry.id.run > shown.run));
                    if began {
                        self.show_beginning().await?;
                    }
                    if self.pass_on(page).await? {
                        self.looks.happened();
                    }
                }
                // Without the feed there are states only.
                Some(Err(error)) => {
                    tracing::debug!(error = telemetry::chain(&error), "a job's live feed could not be read");
                    sleep_until(self.looks.next()).await;
                }
            }
        }
    }

    /// A run has begun: its state comes before what it says.
    async fn show_beginning(&mut self) -> Result<(), ReaderGone> {
        match self.look().await {
            Ok(Look::There(job)) if !job.state.is_terminal() => self.show(&job).await,
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Sends a page's events, and a `gap` where some are missing. Returns whether a run ended in it.
    async fn pass_on(&mut self, page: FeedPage) -> Result<bool, ReaderGone> {
        let mut text = String::new();
        let mut ended = false;
        let mut gap = page.gap;
        for entry in page.entries {
            if gap || is_hole(self.after, entry.id) {
                text.push_str(GAP);
                gap = false;
            }
            self.after = Some(entry.id);
            ended |= entry.event == FeedEvent::Ended;
            self.ended = (entry.event == FeedEvent::Ended).then_some(entry.id);
            text.extend(frame::event(entry.id, &entry.event));
        }
        if !text.is_empty() {
            self.ping_at = Instant::now() + PING_EVERY;
            self.outlet.send(text).await?;
        }
        Ok(ended)
    }

    /// The rest of what the feed keeps, then the job's end.
    async fn farewell(&mut self, job: &Job) -> Result<(), ReaderGone> {
        while let Ok(Ok(page)) = timeout(FEED_WITHIN, self.feed.read(self.id, self.after, PAGE_EVENTS)).await {
            if page.entries.is_empty() {
                break;
            }
            self.pass_on(page).await?;
        }
        let spoke = self.after.is_some_and(|after| after.run == job.run);
        let patience = if spoke { TAIL_WITHIN } else { SILENT_TAIL_WITHIN };
        let until = Instant::now() + patience;
        while self.ended.is_none_or(|ended| ended.run < job.run) {
            let following = self.feed.follow(self.id, self.after, PAGE_EVENTS);
            let Ok(Ok(page)) = timeout_at(until, following).await else { break };
            self.pass_on(page).await?;
        }
        let id = self.ended.take();
        self.outlet.send(frame::state(job, id)).await
    }
}

/// Whether events are missing between two that follow each other: within a run, numbers rise by one, from one on.
fn is_hole(before: Option<FeedId>, next: FeedId) -> bool {
    match before {
        Some(before) if before.run == next.run => next.seq != before.seq.saturating_add(1),
        Some(_) | None => next.seq != 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_is_seen_within_and_between_runs() {
        let id = |run, seq| FeedId { run, seq };
        for (before, next, hole) in [
            (None, id(1, 1), false),
            (None, id(3, 1), false),
            (None, id(1, 2), true),
            (Some(id(1, 4)), id(1, 5), false),
            (Some(id(1, 4)), id(1, 6), true),
            (Some(id(1, 4)), id(2, 1), false),
            (Some(id(1, 4)), id(2, 2), true),
        ] {
            assert_eq!(is_hole(before, next), hole, "{before:?} {next}");
        }
    }
}
