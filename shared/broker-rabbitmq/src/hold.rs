//! What a worker has in hand: messages that were delivered and not answered yet, by class, and the parts of them that are out to be
//! claimed. Everything the broker would have to be asked for otherwise happens in here, without a wait.

use std::collections::BTreeMap;

use broker::{Answer, Pass, Strides};
use domain::{Class, ClassMark, EmissionId, JobId};
use tokio::time::Instant;

use crate::lane::{Arrival, Lane};
use crate::message::Hint;

/// A part of a message that is out to be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub emission: EmissionId,
    pub ids: usize,
}

/// Ids of one class, taken at once: perhaps of several messages.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Which consumer they came through; a later one knows nothing of them.
    pub epoch: u64,
    pub jobs: Vec<JobId>,
    /// Messages that are complete with this: their ledger rows go with the claim.
    pub emissions: Vec<EmissionId>,
    pub parts: Vec<Part>,
}

impl Batch {
    /// The message whose part is the last in it.
    pub fn begun(&self) -> Option<EmissionId> {
        self.parts.last().map(|part| part.emission)
    }
}

/// All classes of one subscription.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    strides: Strides,
    lanes: BTreeMap<Class, (Pass, Lane)>,
    epochs: u64,
}

impl Hold {
    /// A consumer begins; whatever an earlier one held of this class is the broker's again.
    pub fn begin(&mut self, class: &Class) -> u64 {
        self.epochs += 1;
        let (_, lane) = self.lanes.entry(class.clone()).or_default();
        lane.begin(self.epochs);
        self.epochs
    }

    /// A consumer ended: the broker delivers again what it held.
    pub fn end(&mut self, class: &Class, epoch: u64) {
        if let Some(lane) = self.lane(class, epoch) {
            lane.begin(0);
        }
    }

    /// A hint arrived. `false`: the same one is in hand already.
    pub fn arrived(&mut self, epoch: u64, hint: Hint, how: Arrival) -> bool {
        let Some((pass, lane)) = self.lanes.get_mut(&hint.class).filter(|(_, lane)| lane.epoch() == epoch) else { return true };
        if !lane.has_ids(None) {
            self.strides.enter(pass);
        }
        lane.arrived(hint, how)
    }

    /// Up to `ids_max` ids, by weight.
    pub fn take(&mut self, ids_max: usize) -> Vec<(Class, Batch)> {
        let mut taken: Vec<(Class, Batch)> = Vec::new();
        let mut room = ids_max;
        while room > 0 {
            let begun = |class: &Class| taken.iter().find(|(of, _)| of == class).and_then(|(_, batch)| batch.begun());
            let waiting = self.lanes.iter().filter(|(class, (_, lane))| lane.has_ids(begun(class)));
            let waiting = waiting.map(|(class, (pass, _))| (class, *pass));
            let Some((class, run)) = self.strides.next(waiting) else { break };
            let class = class.clone();
            let Some((pass, lane)) = self.lanes.get_mut(&class) else { break };
            let at = taken.iter().position(|(of, _)| *of == class).unwrap_or_else(|| {
                taken.push((class.clone(), Batch { epoch: lane.epoch(), ..Batch::default() }));
                taken.len() - 1
            });
            let given = lane.give(run.min(room), &mut taken[at].1);
            self.strides.charge(&class, pass, given);
            room -= given;
        }
        taken
    }

    /// What became of a batch. `true`: ids can be taken again.
    pub fn answer(&mut self, class: &Class, batch: &Batch, jobs: &[JobId], answer: Answer, now: Instant) -> bool {
        let Some((pass, lane)) = self.lanes.get_mut(class).filter(|(_, lane)| lane.epoch() == batch.epoch) else { return false };
        if !lane.has_ids(None) {
            self.strides.enter(pass);
        }
        let mut ids = jobs;
        // From the last to the first, so that what goes back to the front is in order.
        for part in batch.parts.iter().rev() {
            let (rest, of_part) = ids.split_at(ids.len().saturating_sub(part.ids));
            lane.answer(part.emission, of_part, answer, now);
            ids = rest;
        }
        lane.has_ids(None)
    }

    /// The consumer's part of a class, unless a later one has begun.
    pub fn lane(&mut self, class: &Class, epoch: u64) -> Option<&mut Lane> {
        self.lanes.get_mut(class).map(|(_, lane)| lane).filter(|lane| lane.epoch() == epoch)
    }

    pub fn consuming_since(&self, class: &Class) -> Option<Instant> {
        self.lanes.get(class)?.1.consuming_since
    }

    /// With nothing of this class in hand: how many messages of it have come so far.
    pub fn idle(&self, class: &Class) -> Option<u64> {
        self.lanes.get(class)?.1.idle()
    }

    pub fn others(&mut self, class: &Class, others: bool) {
        if let Some((_, lane)) = self.lanes.get_mut(class) {
            lane.others = others;
        }
    }

    pub fn marks(&self) -> Vec<ClassMark> {
        let mark = |(class, (_, lane)): (&Class, &(Pass, Lane))| {
            let (claimed_until, held_since) = lane.marks();
            ClassMark { class: class.clone(), claimed_until, held_since }
        };
        self.lanes.iter().map(mark).filter(|mark| mark.claimed_until.is_some() || mark.held_since.is_some()).collect()
    }
}

#[cfg(test)]
mod tests;
