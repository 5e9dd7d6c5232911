//! What does the embedded broker hold, and which ids does it give next? First in, first out in each class; between classes as
//! [`Strides`] says.

use std::collections::{BTreeMap, HashSet, VecDeque};

use domain::{Class, JobId};

use crate::strides::{Pass, Strides};

#[derive(Debug, Default)]
struct Buffer {
    ids: VecDeque<JobId>,
    /// The same ids: what is told twice is held once.
    held: HashSet<JobId>,
    pass: Pass,
}

/// Ids in hand, by class.
#[derive(Debug, Default)]
pub struct Buffers {
    classes: BTreeMap<Class, Buffer>,
    strides: Strides,
}

impl Buffers {
    pub fn len(&self, class: &Class) -> usize {
        self.classes.get(class).map_or(0, |buffer| buffer.ids.len())
    }

    /// Appends the ids that are not here already.
    pub fn push_back(&mut self, class: &Class, ids: impl IntoIterator<Item = JobId>) {
        let buffer = self.entering(class);
        for id in ids {
            if buffer.held.insert(id) {
                buffer.ids.push_back(id);
            }
        }
    }

    /// Puts ids back in front, in their order.
    pub fn push_front(&mut self, class: &Class, ids: impl DoubleEndedIterator<Item = JobId>) {
        let buffer = self.entering(class);
        for id in ids.rev() {
            if buffer.held.insert(id) {
                buffer.ids.push_front(id);
            }
        }
    }

    /// Takes up to `ids_max` ids from the classes that `open` allows, grouped by class in the order of the first draw.
    pub fn take(&mut self, ids_max: usize, open: impl Fn(&Class) -> bool) -> Vec<(Class, Vec<JobId>)> {
        let mut taken: Vec<(Class, Vec<JobId>)> = Vec::new();
        let mut room = ids_max;
        while room > 0 {
            let Some((class, ids)) = self.next(room, &open) else { break };
            room -= ids.len();
            match taken.iter_mut().find(|(of, _)| *of == class) {
                Some((_, given)) => given.extend(ids),
                None => taken.push((class, ids)),
            }
        }
        taken
    }

    /// The class that is due gives until another one is, at most `ids_max`.
    fn next(&mut self, ids_max: usize, open: impl Fn(&Class) -> bool) -> Option<(Class, Vec<JobId>)> {
        let waiting = self.classes.iter().filter(|(class, buffer)| !buffer.ids.is_empty() && open(class));
        let (class, run) = self.strides.next(waiting.map(|(class, buffer)| (class, buffer.pass)))?;
        let class = class.clone();
        let buffer = self.classes.get_mut(&class)?;
        let ids: Vec<JobId> = buffer.ids.drain(..run.min(ids_max).min(buffer.ids.len())).collect();
        ids.iter().for_each(|id| _ = buffer.held.remove(id));
        self.strides.charge(&class, &mut buffer.pass, ids.len());
        Some((class, ids))
    }

    /// The class's buffer, ready to be added to.
    fn entering(&mut self, class: &Class) -> &mut Buffer {
        let buffer = self.classes.entry(class.clone()).or_default();
        if buffer.ids.is_empty() {
            self.strides.enter(&mut buffer.pass);
        }
        buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Priority, QueueName};
    use proptest::prelude::*;
    use uuid_like::ids;

    mod uuid_like {
        use domain::JobId;

        pub fn ids(n: u128) -> Vec<JobId> {
            (0..n).map(|i| JobId::from_bytes(i.to_be_bytes())).collect()
        }
    }

    fn class(priority: Priority) -> Class {
        Class { queue: QueueName::of("q"), priority }
    }

    fn counts(taken: &[(Class, Vec<JobId>)]) -> BTreeMap<Priority, usize> {
        taken.iter().map(|(class, ids)| (class.priority, ids.len())).collect()
    }

    #[test]
    fn busy_classes_share_by_weight_and_none_starves() {
        let mut buffers = Buffers::default();
        Priority::ALL.iter().for_each(|p| buffers.push_back(&class(*p), ids(1_000)));
        let counts = counts(&buffers.take(310, |_| true));
        let share = |p| counts.get(&p).copied().unwrap_or(0);
        assert_eq!([160, 80, 40, 20, 10], Priority::ALL.map(share));
    }

    #[test]
    fn a_class_that_was_idle_goes_next_but_does_not_catch_up() {
        let mut buffers = Buffers::default();
        buffers.push_back(&class(Priority::Bulk), ids(1_000));
        buffers.take(500, |_| true);
        buffers.push_back(&class(Priority::Critical), ids(1_000));
        let first = buffers.take(1, |_| true);
        assert_eq!(first[0].0.priority, Priority::Critical);
        let counts = counts(&buffers.take(170, |_| true));
        assert_eq!(counts[&Priority::Bulk], 10, "sixteen to one, not more: {counts:?}");
    }

    #[test]
    fn a_low_class_that_trickles_does_not_starve_the_others() {
        let mut buffers = Buffers::default();
        buffers.push_back(&class(Priority::Critical), ids(10_000));
        let mut bulk = 0;
        for id in ids(1_700) {
            buffers.push_back(&class(Priority::Bulk), [id]);
            bulk += counts(&buffers.take(1, |_| true)).get(&Priority::Bulk).copied().unwrap_or(0);
        }
        assert!((90..=110).contains(&bulk), "one in seventeen, not {bulk} of 1700");
    }

    #[test]
    fn what_is_told_twice_is_given_once() {
        let mut buffers = Buffers::default();
        for _ in 0..3 {
            buffers.push_back(&class(Priority::Normal), ids(5));
        }
        assert_eq!(buffers.take(100, |_| true)[0].1, ids(5));
        buffers.push_back(&class(Priority::Normal), ids(1));
        assert_eq!(buffers.take(100, |_| true)[0].1, ids(1), "given is forgotten");
    }

    #[test]
    fn one_busy_class_gets_everything() {
        let mut buffers = Buffers::default();
        buffers.push_back(&class(Priority::Bulk), ids(50));
        assert_eq!(counts(&buffers.take(100, |_| true))[&Priority::Bulk], 50);
    }

    #[test]
    fn what_is_put_back_comes_first_in_its_order() {
        let mut buffers = Buffers::default();
        let all = ids(5);
        buffers.push_back(&class(Priority::Normal), all.clone());
        let taken = buffers.take(3, |_| true);
        buffers.push_front(&class(Priority::Normal), taken[0].1.iter().copied());
        assert_eq!(buffers.take(5, |_| true)[0].1, all);
    }

    #[test]
    fn closed_classes_wait() {
        let mut buffers = Buffers::default();
        Priority::ALL.iter().for_each(|p| buffers.push_back(&class(*p), ids(2)));
        let taken = buffers.take(100, |class| class.priority == Priority::Low);
        assert_eq!(counts(&taken), BTreeMap::from([(Priority::Low, 2)]));
    }

    proptest! {
        #[test]
        fn every_id_is_given_once(pushes in prop::collection::vec((0_u8..5, 1_u128..40), 1..20), chunk in 1_usize..64) {
            let mut buffers = Buffers::default();
            let mut pushed = 0;
            for (from, (code, n)) in (0_u128..).step_by(1_000).zip(pushes) {
                let fresh = (from..from + n).map(|i| JobId::from_bytes(i.to_be_bytes()));
                buffers.push_back(&class(Priority::from_code(code).expect("five")), fresh);
                pushed += usize::try_from(n).expect("small");
            }
            let mut given = 0;
            loop {
                let n: usize = buffers.take(chunk, |_| true).iter().map(|(_, ids)| ids.len()).sum();
                if n == 0 { break; }
                given += n;
            }
            prop_assert_eq!(given, pushed);
        }
    }
}
