//! What is a connection doing, and for how long? Told by its wire and its requests, asked by its watch.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::ServerLimits;

/// The pulse of one connection.
pub(super) struct Pulse(Mutex<Beat>);

struct Beat {
    /// Whether any request came.
    asked: bool,
    /// HTTP/2 talks also when nothing is asked, so what it sends does not begin a head.
    is_multiplexed: bool,
    in_work: usize,
    /// Since when nothing is in work.
    quiet_since: Instant,
    /// Since when a head is on its way.
    head_since: Option<Instant>,
    /// Since when the caller has taken nothing.
    blocked_since: Option<Instant>,
    /// Answers whose next piece waits for the caller, and since when: with HTTP/2 it may take nothing of them on a wire that flows.
    offered: Vec<(u64, Instant)>,
    answers: u64,
}

/// One request in work, until its answer is gone.
pub(super) struct Asked {
    pulse: Arc<Pulse>,
    number: u64,
}

/// What the watch has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing before then.
    Later(Instant),
    /// The connection is of no use any more; it may end in peace.
    Idle,
    /// The caller has had its time.
    Overdue,
}

impl Pulse {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(Beat {
            asked: false,
            is_multiplexed: false,
            in_work: 0,
            quiet_since: now,
            head_since: None,
            blocked_since: None,
            offered: Vec::new(),
            answers: 0,
        }))
    }

    /// Bytes came.
    pub(super) fn heard(&self) {
        let mut beat = self.0.lock();
        if beat.in_work == 0 && beat.head_since.is_none() && !beat.is_multiplexed {
            beat.head_since = Some(Instant::now());
        }
    }

    /// The caller does not take more at present.
    pub(super) fn blocked(&self) {
        let mut beat = self.0.lock();
        if beat.blocked_since.is_none() {
            beat.blocked_since = Some(Instant::now());
        }
    }

    /// The caller took something.
    pub(super) fn flows(&self) {
        self.0.lock().blocked_since = None;
    }

    /// A request's head is there.
    pub(super) fn ask(self: &Arc<Self>, is_multiplexed: bool) -> Asked {
        let mut beat = self.0.lock();
        beat.asked = true;
        beat.is_multiplexed = is_multiplexed;
        beat.in_work += 1;
        beat.head_since = None;
        beat.answers += 1;
        Asked { pulse: Arc::clone(self), number: beat.answers }
    }

    /// What is to be done now, where an idle connection is kept for `idle_for`.
    pub(super) fn look(&self, now: Instant, limits: &ServerLimits, idle_for: Duration) -> Look {
        let beat = self.0.lock();
        let (since, within, then) = if let Some(since) = beat.blocked_since {
            (since, limits.taken_within, Look::Overdue)
        } else if let Some(since) = beat.offered.iter().map(|(_, since)| *since).min() {
            (since, limits.taken_within, Look::Overdue)
        } else if beat.in_work > 0 {
            return Look::Later(now + limits.head_within);
        } else if !beat.asked {
            (beat.quiet_since, limits.head_within, Look::Overdue)
        } else if let Some(since) = beat.head_since {
            (since, limits.head_within, Look::Overdue)
        } else {
            (beat.quiet_since, idle_for, Look::Idle)
        };
        let due = since + within;
        // Not later than a head that begins right now may take.
        if due <= now { then } else { Look::Later(due.min(now + limits.head_within)) }
    }
}

impl Asked {
    /// The next piece of the answer is the caller's to take.
    pub(super) fn offered(&self) {
        let (mut beat, now) = (self.pulse.0.lock(), Instant::now());
        match beat.offered.iter_mut().find(|(number, _)| *number == self.number) {
            Some((_, since)) => *since = now,
            None => beat.offered.push((self.number, now)),
        }
    }

    /// The caller has taken everything there is, and waits for us.
    pub(super) fn awaited(&self) {
        self.pulse.0.lock().offered.retain(|(number, _)| *number != self.number);
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.awaited();
        let mut beat = self.pulse.0.lock();
        beat.in_work -= 1;
        if beat.in_work == 0 {
            beat.quiet_since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits() -> ServerLimits {
        ServerLimits { head_within: 10 * SECOND, idle_for: 60 * SECOND, taken_within: 30 * SECOND, ..ServerLimits::default() }
    }

    fn look(pulse: &Pulse) -> Look {
        pulse.look(Instant::now(), &limits(), limits().idle_for)
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_asks_is_overdue_after_the_time_of_a_head_whatever_it_sends() {
        let pulse = Arc::new(Pulse::new(Instant::now()));
        assert_eq!(look(&pulse), Look::Later(Instant::now() + 10 * SECOND));
        advance(9 * SECOND).await;
        pulse.heard();
        assert_eq!(look(&pulse), Look::Later(Instant::now() + SECOND));
        advance(SECOND).await;
        assert_eq!(look(&pulse), Look::Overdue);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_kept_between_requests_and_each_head_has_its_time() {
        let pulse = Arc::new(Pulse::new(Instant::now()));
        let asked = pulse.ask(false);
        advance(1_000 * SECOND).await;
        assert!(matches!(look(&pulse), Look::Later(_)), "a request in work has no time here");
        drop(asked);
        advance(59 * SECOND).await;
        assert_eq!(look(&pulse), Look::Later(Instant::now() + SECOND));
        pulse.heard();
        advance(9 * SECOND).await;
        pulse.heard();
        assert_eq!(look(&pulse), Look::Later(Instant::now() + SECOND), "more of it does not give a head more time");
        advance(SECOND).await;
        assert_eq!(look(&pulse), Look::Overdue);
        drop(pulse.ask(false));
        advance(60 * SECOND).await;
        assert_eq!(look(&pulse), Look::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn what_http2_sends_between_requests_keeps_nothing_alive_and_begins_nothing() {
        let pulse = Arc::new(Pulse::new(Instant::now()));
        drop((pulse.ask(true), pulse.ask(true)));
        for _ in 0..3 {
            advance(19 * SECOND).await;
            pulse.heard();
            assert!(matches!(look(&pulse), Look::Later(_)));
        }
        advance(3 * SECOND).await;
        assert_eq!(look(&pulse), Look::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_taken_is_overdue_whatever_becomes_of_the_others() {
        let pulse = Arc::new(Pulse::new(Instant::now()));
        let (taken, left) = (pulse.ask(true), pulse.ask(true));
        taken.offered();
        left.offered();
        advance(20 * SECOND).await;
        taken.offered();
        pulse.flows();
        assert_eq!(look(&pulse), Look::Later(Instant::now() + 10 * SECOND));
        drop(taken);
        advance(10 * SECOND).await;
        assert_eq!(look(&pulse), Look::Overdue);
        left.awaited();
        assert!(matches!(look(&pulse), Look::Later(_)), "a stream that waits for us has no deadline here");
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_of_its_answer_is_overdue() {
        let pulse = Arc::new(Pulse::new(Instant::now()));
        let _asked = pulse.ask(false);
        pulse.blocked();
        advance(29 * SECOND).await;
        pulse.blocked();
        assert_eq!(look(&pulse), Look::Later(Instant::now() + SECOND));
        pulse.flows();
        pulse.blocked();
        advance(30 * SECOND).await;
        assert_eq!(look(&pulse), Look::Overdue);
    }
}
