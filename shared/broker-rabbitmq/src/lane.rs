//! The messages of one class in hand, through one consumer: given in their order, whole or in parts, answered when all parts are.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use broker::Answer;
use domain::{EmissionId, JobId, Timestamp};
use tokio::time::Instant;

use crate::hold::{Batch, Part};
use crate::message::Hint;

/// How long the rest of a message waits for slots before another worker may have it, and one that was given back before.
const REST_WAITS: Duration = Duration::from_millis(200);
/// How long a message waits that was not touched yet: a worker whose jobs take minutes must not keep what it holds ready.
const WHOLE_WAITS: Duration = Duration::from_secs(1);
/// How long one waits that came back often enough: the next worker gets a fresh message in its place. Rare enough to cost nothing
/// where all workers are busy for long.
const TIRED_WAITS: Duration = Duration::from_secs(20);
/// How long one waits of which the broker does not count how often it came, and which it never gives up: long enough that it may go
/// from worker to worker for as long as all are busy.
const UNCOUNTED_WAITS: Duration = Duration::from_secs(5);
/// Delivered before, nobody knows how often.
pub(crate) const UNCOUNTED: u32 = u32::MAX;
/// Times a message may have been delivered when we still give it back: far below the limit at which the broker gives it up.
const HAND_BACK_DELIVERIES_MAX: u32 = 3;

/// What the broker is told about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Ack,
    /// Dead-lettered.
    Reject,
    /// Offered again, to any worker.
    Return,
}

/// How a message came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub tag: u64,
    /// Times it was delivered before.
    pub deliveries: u32,
    pub at: Instant,
}

#[derive(Debug)]
struct Held {
    tag: u64,
    published_at: Timestamp,
    /// Times it was delivered before.
    deliveries: u32,
    /// Not given yet, the next one last.
    left: Vec<JobId>,
    /// Parts out to be claimed.
    out: u32,
    poison: bool,
    /// When another worker may have it, should nothing of it be out by then.
    due: Instant,
}

impl Held {
    /// How many ids can be given now. The last part carries the ledger row, and the row may only go when every other part is
    /// claimed: while one is out, an id stays here. `begun`: the batch at hand has a part of it, which would only grow.
    fn ready(&self, begun: bool) -> usize {
        self.left.len().saturating_sub(usize::from(self.out > u32::from(begun)))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Lane {
    epoch: u64,
    held: HashMap<EmissionId, Held>,
    /// Messages with ids left, in the order in which they go.
    order: VecDeque<EmissionId>,
    fates: Vec<(u64, Fate)>,
    claimed_until: Option<Timestamp>,
    /// Other workers consume this class as well.
    pub others: bool,
    /// Messages that came, ever.
    arrivals: u64,
    /// Since when the broker should see our consumer.
    pub consuming_since: Option<Instant>,
}

impl Lane {
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    pub fn begin(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.consuming_since = None;
        self.held.clear();
        self.order.clear();
        self.fates.clear();
    }

    /// The next message to give from: its place in the order, and how many ids of it.
    fn next(&self, begun: Option<EmissionId>) -> Option<(usize, usize)> {
        let ready = |emission: &EmissionId| self.held.get(emission).map_or(0, |held| held.ready(begun == Some(*emission)));
        self.order.iter().map(ready).enumerate().find(|(_, ready)| *ready > 0)
    }

    /// Whether ids can be given, to a batch that has begun with a message perhaps.
    pub fn has_ids(&self, begun: Option<EmissionId>) -> bool {
        self.next(begun).is_some()
    }

    /// With nothing in hand: how many have come so far.
    pub fn idle(&self) -> Option<u64> {
        self.held.is_empty().then_some(self.arrivals)
    }

    /// Parts that are out.
    pub fn out(&self) -> bool {
        self.held.values().any(|held| held.out > 0)
    }

    /// `false`: it is in hand already.
    pub fn arrived(&mut self, hint: Hint, how: Arrival) -> bool {
        let Arrival { tag, deliveries, at } = how;
        self.arrivals += 1;
        if self.held.contains_key(&hint.emission) {
            return false;
        }
        // What was given back for want of slots must not wait long here either; perhaps it was by us.
        let due = at + if deliveries == 0 { WHOLE_WAITS } else { rest_waits(deliveries) };
        let mut left = hint.jobs;
        left.reverse();
        let published_at = hint.published_at;
        self.held.insert(hint.emission, Held { tag, published_at, deliveries, left, out: 0, poison: false, due });
        self.order.push_back(hint.emission);
        true
    }

    /// Adds up to `ids_max` ids to a batch, and says how many.
    pub fn give(&mut self, ids_max: usize, batch: &mut Batch) -> usize {
        let mut room = ids_max;
        while room > 0 {
            let begun = batch.begun();
            let Some((at, ready)) = self.next(begun) else { break };
            let emission = self.order[at];
            let Some(held) = self.held.get_mut(&emission) else { break };
            let ids = ready.min(room);
            batch.jobs.extend(held.left.drain(held.left.len() - ids..).rev());
            match batch.parts.last_mut().filter(|_| begun == Some(emission)) {
                Some(part) => part.ids += ids,
                None => {
                    held.out += 1;
                    batch.parts.push(Part { emission, ids });
                }
            }
            if held.left.is_empty() {
                self.order.remove(at);
                batch.emissions.push(emission);
            }
            room -= ids;
        }
        ids_max - room
    }

    /// What became of a part.
    pub fn answer(&mut self, emission: EmissionId, ids: &[JobId], answer: Answer, now: Instant) {
        let Some(held) = self.held.get_mut(&emission) else { return };
        held.out = held.out.saturating_sub(1);
        match answer {
            Answer::Ack => {}
            Answer::Requeue => {
                if held.left.is_empty() {
                    self.order.push_front(emission);
                }
                held.left.extend(ids.iter().rev());
            }
            Answer::DeadLetter => held.poison = true,
        }
        if held.poison && !held.left.is_empty() {
            held.left.clear();
            self.order.retain(|other| *other != emission);
        }
        if held.out == 0 && !held.left.is_empty() {
            held.due = now + rest_waits(held.deliveries);
        }
        if held.out == 0 && held.left.is_empty() {
            self.finish(emission);
        }
    }

    fn finish(&mut self, emission: EmissionId) {
        let Some(held) = self.held.remove(&emission) else { return };
        let fate = if held.poison { Fate::Reject } else { Fate::Ack };
        if fate == Fate::Ack {
            self.claimed_until = self.claimed_until.max(Some(held.published_at));
        }
        self.fates.push((held.tag, fate));
    }

    pub fn fates(&mut self) -> Vec<(u64, Fate)> {
        std::mem::take(&mut self.fates)
    }

    /// When something has waited long enough for another worker to have it. `None`: there is nothing, or nobody else.
    pub fn due(&self) -> Option<Instant> {
        if !self.others {
            return None;
        }
        let waiting = self.order.iter().filter_map(|emission| self.held.get(emission));
        waiting.filter(|held| held.may_go()).map(|held| held.due).min()
    }

    /// Lets go of what nobody here had slots for. Ids of it that were claimed are noise to whoever gets it next. What was given back
    /// too often is acked instead, and returned: the ledger is to send a fresh message for it, which the broker has not counted yet.
    pub fn give_back(&mut self, now: Instant) -> Vec<EmissionId> {
        let due = |emission: &EmissionId| self.held.get(emission).is_some_and(|held| held.may_go() && held.due <= now);
        let due: Vec<EmissionId> = self.order.iter().copied().filter(due).collect();
        let mut replaced = Vec::new();
        for emission in due {
            self.order.retain(|other| *other != emission);
            let Some(held) = self.held.remove(&emission) else { continue };
            let tired = is_tired(held.deliveries);
            if tired {
                replaced.push(emission);
            }
            self.fates.push((held.tag, if tired { Fate::Ack } else { Fate::Return }));
        }
        replaced
    }

    /// How far it has come, and the oldest that is in hand.
    pub fn marks(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.claimed_until, self.held.values().map(|held| held.published_at).min())
    }
}

impl Held {
    /// Whether another worker may have it: nothing of it is being claimed here.
    fn may_go(&self) -> bool {
        self.out == 0 && !self.left.is_empty()
    }
}

/// Whether the broker would soon give up a message that was delivered so often before.
fn is_tired(deliveries: u32) -> bool {
    deliveries != UNCOUNTED && deliveries >= HAND_BACK_DELIVERIES_MAX
}

fn rest_waits(deliveries: u32) -> Duration {
    match deliveries {
        UNCOUNTED => UNCOUNTED_WAITS,
        deliveries if is_tired(deliveries) => TIRED_WAITS,
        _ => REST_WAITS,
    }
}
