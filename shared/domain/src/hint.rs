//! What is known, and what is doubted, about hints that a broker outside this process holds.

use std::time::Duration;

use crate::{Class, EmissionId, JobId, KindName, QueueName, Run, Timestamp};

/// Why the broker may not hold what was published to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// What a class held is gone: its queue had to be made anew. Whatever was published before is missing.
    Lost { before: Timestamp },
    /// Its queue was found empty twice. What was published before the first look is missing, unless a worker holds it.
    Drained { before: Timestamp },
}

/// What a worker can say about the hints of one class: how far it has come, and what it still holds. Times are those of
/// publishing, by the store's clock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClassMark {
    pub class: Class,
    /// The latest publish time among the hints it has acknowledged.
    pub claimed_until: Option<Timestamp>,
    /// The earliest publish time among the hints it holds unanswered.
    pub held_since: Option<Timestamp>,
}

/// A job that died, as the broker's dead-letter queue is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeadNotice {
    pub job: JobId,
    pub run: Run,
    pub queue: QueueName,
    pub kind: KindName,
    pub reason: String,
    pub fingerprint: String,
    pub attempts: u16,
    pub at: Timestamp,
}

/// A broker message that is no hint: garbage, foreign, of an unknown version, too large.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoisonMessage {
    /// The broker's queue it was found in, as text: it need not be one of ours.
    pub queue: String,
    /// `unparsable`, `unknown_version`, `oversized`, or the broker's word.
    pub reason: String,
    pub message_id: Option<String>,
    pub bytes: usize,
    /// Its beginning, for a person to look at; not necessarily text.
    pub sample: Vec<u8>,
}

/// How long jobs of a queue run on average, as far as is known: what packing and prefetch are chosen by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pace {
    pub queue: QueueName,
    /// `None`: nothing has run lately.
    pub mean: Option<Duration>,
    /// Slots of the smallest live worker, or of the one that lived last; 0: there was none lately.
    pub slots: u32,
}

impl Pace {
    /// Ids per broker message: `clamp(1 s / mean, 1, 32)`, at most a quarter of the slots, 1 while the mean is unknown
    /// (queue-core, decision 7).
    pub fn pack(&self) -> usize {
        let Some(mean) = self.mean else { return 1 };
        let per_second = Duration::from_secs(1).as_micros() / mean.as_micros().max(1);
        let quarter = usize::try_from(self.slots / 4).unwrap_or(usize::MAX);
        usize::try_from(per_second).unwrap_or(usize::MAX).min(crate::bounds::EMISSION_IDS_MAX).min(quarter).max(1)
    }

    /// Messages a worker with `slots` slots holds of each class: `clamp(slots × 30 ms / mean / pack, 1, 128)`. An unknown mean counts as 30 ms.
    pub fn prefetch(&self, slots: u32) -> u16 {
        let mean = self.mean.unwrap_or(Duration::from_millis(30)).as_micros().max(1);
        let ids = u128::from(slots) * Duration::from_millis(30).as_micros() / mean;
        let messages = ids / u128::try_from(self.pack()).unwrap_or(1);
        u16::try_from(messages).unwrap_or(u16::MAX).clamp(1, crate::bounds::PREFETCH_MESSAGES_MAX)
    }
}

/// The ledger's rows that have become doubtful.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unsent {
    /// These came back from the broker.
    Emissions(Vec<EmissionId>),
    /// Whatever of this class was published at a doubtful time.
    Class { class: Class, doubt: Doubt },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(mean_ms: Option<f64>, slots: u32) -> Pace {
        Pace { queue: QueueName::of("q"), mean: mean_ms.map(|ms| Duration::from_secs_f64(ms / 1e3)), slots }
    }

    #[test]
    fn only_a_backlog_of_short_jobs_is_packed() {
        assert_eq!(pace(None, 1_000).pack(), 1, "unknown");
        assert_eq!(pace(Some(0.02), 1_000).pack(), 32);
        assert_eq!(pace(Some(100.0), 1_000).pack(), 10);
        assert_eq!(pace(Some(2_000.0), 1_000).pack(), 1);
        assert_eq!(pace(Some(0.02), 10).pack(), 2, "a quarter of the slots");
        assert_eq!(pace(Some(0.02), 0).pack(), 1, "no worker");
        assert_eq!(pace(Some(0.0), 1_000).pack(), 32, "a mean of nothing is no division by zero");
    }

    #[test]
    fn a_worker_holds_what_it_runs_in_30_ms() {
        assert_eq!(pace(None, 1_000).prefetch(10), 10);
        assert_eq!(pace(Some(0.01), 1_000).prefetch(1_000), 128);
        assert_eq!(pace(Some(5_000.0), 1_000).prefetch(1_000), 6);
        assert_eq!(pace(Some(5_000.0), 10).prefetch(10), 1);
    }
}
