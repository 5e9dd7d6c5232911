//! What waits to be told to the ledger: bounded, in order, each doubt once. Looking at it takes nothing away: only what was told
//! is forgotten, so that nothing is lost when the telling fails or is cut short.

use std::collections::{BTreeMap, VecDeque};

use domain::bounds::FLUSH_JOBS_MAX;
use domain::{Class, Doubt, EmissionId, Timestamp, Unsent};
use tokio::time::Instant;

/// Emissions that are confirmed, or doubted, and not told yet. More than a second's worth of the fastest broker.
const EMISSIONS_MAX: usize = 100_000;
/// Classes in doubt.
const CLASSES_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct Backlog {
    confirmed: Line<(EmissionId, Timestamp)>,
    doubted: Line<EmissionId>,
    classes: BTreeMap<(Class, Look), Timestamp>,
    /// Losses that are to be looked into once more, and when.
    again: VecDeque<(Instant, Class, Timestamp)>,
}

/// Why one looks at a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    Lost,
    LostAgain,
    Drained,
}

/// One doubt, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Doubted {
    Emissions { ids: Vec<EmissionId>, upto: u64 },
    Class { class: Class, look: Look, before: Timestamp },
}

impl Doubted {
    pub fn unsent(&self) -> Unsent {
        match self {
            Self::Emissions { ids, upto: _ } => Unsent::Emissions(ids.clone()),
            Self::Class { class, look, before } => {
                let doubt = match look {
                    Look::Lost | Look::LostAgain => Doubt::Lost { before: *before },
                    Look::Drained => Doubt::Drained { before: *before },
                };
                Unsent::Class { class: class.clone(), doubt }
            }
        }
    }
}

impl Backlog {
    pub fn waiting(&self) -> usize {
        self.confirmed.items.len() + self.doubted.items.len() + self.classes.len()
    }

    /// Returns how many of the oldest had to make room.
    pub fn confirm(&mut self, emission: EmissionId, at: Timestamp) -> usize {
        self.confirmed.push((emission, at))
    }

    /// Where the confirmations end for now.
    pub fn confirmed_end(&self) -> u64 {
        self.confirmed.end()
    }

    /// The first `limit` confirmations before `end`, and where they end.
    pub fn confirmed(&self, limit: usize, end: u64) -> (Vec<(EmissionId, Timestamp)>, u64) {
        self.confirmed.front(limit, end)
    }

    pub fn forget_confirmed(&mut self, upto: u64) {
        self.confirmed.forget(upto);
    }

    /// Returns how much found no room.
    pub fn doubt(&mut self, unsent: Unsent) -> usize {
        match unsent {
            Unsent::Emissions(ids) => ids.into_iter().map(|id| self.doubted.push(id)).sum(),
            Unsent::Class { class, doubt: Doubt::Lost { before } } => self.doubt_class(class, Look::Lost, before),
            Unsent::Class { class, doubt: Doubt::Drained { before } } => self.doubt_class(class, Look::Drained, before),
        }
    }

    /// A later doubt includes the earlier ones.
    fn doubt_class(&mut self, class: Class, look: Look, before: Timestamp) -> usize {
        let key = (class, look);
        if self.classes.len() >= CLASSES_MAX && !self.classes.contains_key(&key) {
            return 1;
        }
        let known = self.classes.entry(key).or_insert(before);
        *known = before.max(*known);
        0
    }

    /// How many doubts wait, with those that have become due again.
    pub fn doubts(&mut self, now: Instant) -> usize {
        while let Some((_, class, before)) = self.again.pop_front_if(|(due, ..)| *due <= now) {
            self.doubt_class(class, Look::LostAgain, before);
        }
        self.doubted.items.len().div_ceil(FLUSH_JOBS_MAX) + self.classes.len()
    }

    pub fn next_doubt(&self) -> Option<Doubted> {
        let (ids, upto) = self.doubted.front(FLUSH_JOBS_MAX, self.doubted.end());
        if !ids.is_empty() {
            return Some(Doubted::Emissions { ids, upto });
        }
        let ((class, look), before) = self.classes.first_key_value()?;
        Some(Doubted::Class { class: class.clone(), look: *look, before: *before })
    }

    /// It was told. A loss is looked into again at `again_at`.
    pub fn settle(&mut self, told: &Doubted, again_at: Instant) {
        match told {
            Doubted::Emissions { ids: _, upto } => self.doubted.forget(*upto),
            Doubted::Class { class, look, before } => {
                let key = (class.clone(), *look);
                // Unless it was doubted again meanwhile.
                if self.classes.get(&key) == Some(before) {
                    self.classes.remove(&key);
                }
                if *look == Look::Lost && self.again.len() < CLASSES_MAX {
                    self.again.push_back((again_at, class.clone(), *before));
                }
            }
        }
    }
}

/// A bounded line in which every item has a number, so that what left it meanwhile is not mistaken for something else.
struct Line<T> {
    items: VecDeque<T>,
    /// The number of the first item.
    first: u64,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), first: 0 }
    }
}

impl<T: Copy> Line<T> {
    fn push(&mut self, item: T) -> usize {
        let dropped = usize::from(self.items.len() >= EMISSIONS_MAX);
        if dropped > 0 {
            self.forget(self.first + 1);
        }
        self.items.push_back(item);
        dropped
    }

    fn end(&self) -> u64 {
        self.first + u64::try_from(self.items.len()).unwrap_or(u64::MAX)
    }

    fn front(&self, limit: usize, end: u64) -> (Vec<T>, u64) {
        let before_end = usize::try_from(end.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let items: Vec<T> = self.items.iter().take(limit.min(before_end)).copied().collect();
        let upto = self.first + u64::try_from(items.len()).unwrap_or(u64::MAX);
        (items, upto)
    }

    fn forget(&mut self, upto: u64) {
        while self.first < upto && self.items.pop_front().is_some() {
            self.first += 1;
        }
        if self.items.is_empty() {
            // A burst is over: what it took is given back.
            self.items = VecDeque::new();
        }
    }
}
