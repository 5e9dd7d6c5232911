//! What comes by the express lane, and which copies of it at the broker need no look at the store any more.

use std::collections::VecDeque;
use std::sync::Arc;

use broker::{Answer, Delivery, Receipt, Subscription};
use coordination::{ExpressHint, ExpressStop};
use domain::bounds::{EXPRESS_FRESH, EXPRESS_REMEMBERED_MAX};
use domain::{Class, EmissionId, JobId, QueueName};
use parking_lot::Mutex;

use crate::worker::Parts;

/// One worker's use of the lane, for one term. Without a lane, nothing ever comes.
pub(crate) struct Express {
    parts: Arc<Parts>,
    stop: Option<Box<dyn ExpressStop>>,
    claimed: Mutex<Remembered>,
}

/// What was claimed by way of the lane, the newest last. The broker's copies of these are noise, whenever they come.
#[derive(Default)]
struct Remembered(VecDeque<(EmissionId, Vec<JobId>)>);

impl Express {
    /// Waits at the queues of the subscription; where that is all, at those of the worker's own kinds.
    pub(crate) fn new(parts: Arc<Parts>, subscription: &Subscription) -> Self {
        let stop = parts.express.as_ref().map(|lane| lane.stop(&queues(&parts, subscription)));
        Self { parts, stop, claimed: Mutex::default() }
    }

    /// The next hint that is worth a claim, for so many slots. Dropping the future may lose it, which costs a moment.
    pub(crate) async fn take(&self, slots: usize) -> Delivery {
        let Some(stop) = &self.stop else { return std::future::pending().await };
        loop {
            let ExpressHint { emission, at } = stop.take().await;
            // What is older has been with a worker by way of the broker.
            if (self.parts.clock)().since(at) < EXPRESS_FRESH && emission.jobs.len() <= slots {
                return Delivery::new(emission.class, emission.jobs, vec![emission.id], Box::new(Unanswered));
            }
            self.count("stale");
        }
    }

    /// What a claim by way of the lane came to.
    pub(crate) fn claimed(&self, emission: EmissionId, jobs: Vec<JobId>, taken: usize) {
        self.count(if taken > 0 { "claimed" } else { "missed" });
        // Only a claim that took something is known to have taken the emission off the ledger.
        if taken > 0 {
            self.claimed.lock().add(emission, jobs);
        }
    }

    /// Whether a delivery of the broker need not be looked at.
    pub(crate) fn knows(&self, delivery: &Delivery) -> bool {
        let is_known = self.claimed.lock().covers(delivery);
        if is_known {
            self.count("spared");
        }
        is_known
    }

    fn count(&self, outcome: &str) {
        self.parts.metrics.express_hints.with_label_values(&[outcome]).inc();
    }
}

impl Remembered {
    fn add(&mut self, emission: EmissionId, jobs: Vec<JobId>) {
        if self.0.len() >= EXPRESS_REMEMBERED_MAX {
            self.0.pop_front();
        }
        self.0.push_back((emission, jobs));
    }

    /// Whether it lists nothing but what was claimed under the very emissions that it completes. A job that was queued again since has
    /// another emission.
    fn covers(&self, delivery: &Delivery) -> bool {
        if self.0.is_empty() || delivery.emissions().is_empty() {
            return false;
        }
        let known = delivery.emissions().iter().filter_map(|emission| self.0.iter().rev().find(|(id, _)| id == emission));
        let known: Vec<JobId> = known.flat_map(|(_, jobs)| jobs.iter().copied()).collect();
        delivery.jobs().iter().all(|job| known.contains(job))
    }
}

fn queues(parts: &Parts, subscription: &Subscription) -> Vec<QueueName> {
    match subscription {
        Subscription::Queues(queues) => queues.clone(),
        Subscription::All => {
            let of_kinds: std::collections::BTreeSet<QueueName> = parts.registry.infos().into_iter().map(|kind| kind.queue).collect();
            of_kinds.into_iter().collect()
        }
    }
}

/// Nobody waits for an answer: whatever becomes of the hint, the broker has a copy.
struct Unanswered;

impl Receipt for Unanswered {
    fn answer(self: Box<Self>, _: Class, _: Vec<JobId>, _: Answer) {}
}

#[cfg(test)]
mod tests {
    use domain::Priority;

    use super::*;

    fn job(n: u8) -> JobId {
        JobId::from_bytes([n; 16])
    }

    fn emission(n: u8) -> EmissionId {
        EmissionId::from_bytes([n; 16])
    }

    fn delivery(jobs: &[u8], emissions: &[u8]) -> Delivery {
        let class = Class { queue: QueueName::of("q"), priority: Priority::Normal };
        Delivery::new(class, jobs.iter().map(|n| job(*n)).collect(), emissions.iter().map(|n| emission(*n)).collect(), Box::new(Unanswered))
    }

    /// I1: nothing is dropped that the store might still say yes to.
    #[test]
    fn only_copies_of_what_was_claimed_are_known() {
        let mut claimed = Remembered::default();
        assert!(!claimed.covers(&delivery(&[1], &[1])));
        claimed.add(emission(1), vec![job(1)]);
        claimed.add(emission(2), vec![job(2), job(3)]);
        for (jobs, emissions, known, why) in [
            (&[1][..], &[1][..], true, "a copy"),
            (&[1, 2, 3], &[1, 2], true, "two copies in one"),
            (&[3], &[2], true, "the last part of one"),
            (&[1], &[9], false, "the job was queued again"),
            (&[2], &[], false, "a part that completes no emission"),
            (&[1, 4], &[1], false, "a part of another emission with it"),
            (&[1, 4], &[1, 9], false, "another emission with it"),
        ] {
            assert_eq!(claimed.covers(&delivery(jobs, emissions)), known, "{why}");
        }
    }

    /// I7: the oldest are forgotten, and looked up like any other hint.
    #[test]
    fn what_is_remembered_is_bounded() {
        let mut claimed = Remembered::default();
        claimed.add(emission(1), vec![job(1)]);
        (0..EXPRESS_REMEMBERED_MAX).for_each(|_| claimed.add(emission(2), vec![job(2)]));
        assert_eq!(claimed.0.len(), EXPRESS_REMEMBERED_MAX);
        assert!(!claimed.covers(&delivery(&[1], &[1])) && claimed.covers(&delivery(&[2], &[2])));
    }
}
