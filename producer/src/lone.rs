//! Is this a lone job, on a fleet with little to do? Then its hint also takes the express lane, which saves it the broker's time.
//! Under load it would only be work done twice: the broker's copy is claimed by whoever is free, and nobody waits for one more.

use std::sync::Arc;
use std::time::Duration;

use coordination::{Express, ExpressHint};
use domain::bounds::{EXPRESS_BUSY_JOBS, EXPRESS_JOBS_MAX};
use domain::{Emission, Timestamp};
use parking_lot::Mutex;
use telemetry::Metrics;
use tokio::time::Instant;

/// What [`EXPRESS_BUSY_JOBS`] is counted in.
const SPAN: Duration = Duration::from_millis(100);

/// Offers hints of lone jobs.
pub struct Lone {
    express: Option<Arc<dyn Express>>,
    metrics: Arc<Metrics>,
    pace: Mutex<Pace>,
}

impl Lone {
    pub fn new(express: Option<Arc<dyn Express>>, metrics: Arc<Metrics>) -> Self {
        Self { express, metrics, pace: Mutex::new(Pace::new(Instant::now())) }
    }

    /// Offers what was just recorded, if it is little and there was little before it. Lets it leave before the caller goes on, and waits
    /// for nobody. `true`: all of it was offered, so that the broker's copies need not hurry.
    pub async fn offer(&self, emissions: &[Emission], at: Timestamp) -> bool {
        let Some(express) = &self.express else { return false };
        let jobs = emissions.iter().map(|emission| emission.jobs.len()).sum();
        if !self.pace.lock().is_idle(jobs, Instant::now()) || !(1..=EXPRESS_JOBS_MAX).contains(&jobs) {
            return false;
        }
        let offered = emissions.iter().filter(|emission| express.offer(ExpressHint { emission: (*emission).clone(), at })).count();
        self.metrics.express_hints.with_label_values(&["offered"]).inc_by(u64::try_from(offered).unwrap_or(u64::MAX));
        tokio::task::yield_now().await;
        offered == emissions.len()
    }
}

/// How many jobs came of late: in this span, and in the one before it.
struct Pace {
    since: Instant,
    jobs: u32,
    before: u32,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { since: now, jobs: 0, before: 0 }
    }

    /// Counts these jobs, and says whether there are few with them.
    fn is_idle(&mut self, jobs: usize, now: Instant) -> bool {
        let elapsed = now.duration_since(self.since);
        if elapsed >= SPAN {
            self.before = if elapsed < SPAN * 2 { self.jobs } else { 0 };
            (self.since, self.jobs) = (now, 0);
        }
        self.jobs = self.jobs.saturating_add(u32::try_from(jobs).unwrap_or(u32::MAX));
        self.jobs.max(self.before) <= EXPRESS_BUSY_JOBS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn fifty_a_second_are_idle_and_five_hundred_are_not() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert!((0..100).all(|n| pace.is_idle(1, after(start, 20 * n))));
        let mut pace = Pace::new(start);
        let offered = (0..1_000).filter(|n| pace.is_idle(1, after(start, 2 * n))).count();
        assert_eq!(offered, usize::try_from(EXPRESS_BUSY_JOBS).expect("small"), "none after the first few");
    }

    #[test]
    fn a_burst_is_busy_until_it_is_over() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert!(!pace.is_idle(1_000, start));
        assert!(!pace.is_idle(1, after(start, 150)), "just now there were many");
        assert!(pace.is_idle(1, after(start, 360)));
    }
}
