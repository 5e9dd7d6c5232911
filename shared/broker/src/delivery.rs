//! A delivery is answered exactly once, by value (I4): after an answer there is nothing left to answer.

use domain::{Class, EmissionId, JobId};

/// What is to become of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Claimed, or noise: the broker may forget it.
    Ack,
    /// Not now: the broker offers it again, in front of its class.
    Requeue,
    /// Poison: never to be offered again, shown to operators.
    DeadLetter,
}

/// How an adapter takes an answer. Must not block.
pub trait Receipt: Send {
    fn answer(self: Box<Self>, class: Class, jobs: Vec<JobId>, answer: Answer);
}

/// Hints of one class. Dropping it unanswered hands it back, so that an early return strands nothing.
#[must_use = "answer it; dropping hands it back"]
pub struct Delivery {
    class: Class,
    jobs: Vec<JobId>,
    emissions: Vec<EmissionId>,
    receipt: Option<Box<dyn Receipt>>,
}

impl Delivery {
    pub fn new(class: Class, jobs: Vec<JobId>, emissions: Vec<EmissionId>, receipt: Box<dyn Receipt>) -> Self {
        Self { class, jobs, emissions, receipt: Some(receipt) }
    }

    pub fn class(&self) -> &Class {
        &self.class
    }

    pub fn jobs(&self) -> &[JobId] {
        &self.jobs
    }

    /// The ledger rows behind it, where the engine has a ledger.
    pub fn emissions(&self) -> &[EmissionId] {
        &self.emissions
    }

    pub fn ack(mut self) {
        self.answer(Answer::Ack);
    }

    pub fn requeue(mut self) {
        self.answer(Answer::Requeue);
    }

    pub fn dead_letter(mut self) {
        self.answer(Answer::DeadLetter);
    }

    fn answer(&mut self, answer: Answer) {
        if let Some(receipt) = self.receipt.take() {
            receipt.answer(self.class.clone(), std::mem::take(&mut self.jobs), answer);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.answer(Answer::Requeue);
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").field("class", &self.class).field("jobs", &self.jobs.len()).finish_non_exhaustive()
    }
}
