//! Which delivery tags of a channel can be answered now, and how: many at once, but never one whose message is still in hand.

use std::collections::VecDeque;

use crate::lane::Fate;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    InHand,
    ToAck,
    /// The broker has been told.
    Gone,
}

/// One frame to the broker about one tag.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told<A> {
    /// This one and all before it.
    AckUpTo(A),
    Ack(A),
    Reject(A),
    Return(A),
}

/// The tags of one channel, from the oldest that is not answered. `A` answers for a tag.
#[derive(Debug)]
pub(crate) struct Tags<A> {
    /// The tag of the first in the window.
    first: u64,
    window: VecDeque<(A, State)>,
}

impl<A> Default for Tags<A> {
    fn default() -> Self {
        Self { first: 1, window: VecDeque::new() }
    }
}

impl<A: Clone> Tags<A> {
    /// Tags come in order, without gaps: 1, 2, 3, …
    pub fn delivered(&mut self, tag: u64, acker: A) {
        if self.window.is_empty() {
            self.first = tag;
        }
        self.window.push_back((acker, State::InHand));
    }

    /// Something is known about these. Returns what the broker is to be told, in order. `unanswered_max`: how many it lets us owe.
    pub fn answer(&mut self, fates: impl IntoIterator<Item = (u64, Fate)>, unanswered_max: usize) -> Vec<Told<A>> {
        let mut told = Vec::new();
        for (tag, fate) in fates {
            let Some(slot) = tag.checked_sub(self.first).and_then(|at| self.window.get_mut(usize::try_from(at).ok()?)) else { continue };
            slot.1 = match fate {
                Fate::Ack => State::ToAck,
                Fate::Reject => {
                    told.push(Told::Reject(slot.0.clone()));
                    State::Gone
                }
                Fate::Return => {
                    told.push(Told::Return(slot.0.clone()));
                    State::Gone
                }
            };
        }
        told.extend(self.advance().map(Told::AckUpTo));
        told.extend(self.overtakers(unanswered_max));
        told
    }

    /// Drops what is answered from the front. The last one that is to be acked speaks for all.
    fn advance(&mut self) -> Option<A> {
        let mut last = None;
        while let Some((acker, state)) = self.window.pop_front() {
            match state {
                State::InHand => {
                    self.window.push_front((acker, state));
                    break;
                }
                State::ToAck => last = Some(acker),
                State::Gone => {}
            }
            self.first += 1;
        }
        last
    }

    /// Those behind one that takes its time are told one by one, when the broker would stop delivering otherwise.
    fn overtakers(&mut self, unanswered_max: usize) -> Vec<Told<A>> {
        let waiting = self.window.iter().filter(|(_, state)| *state == State::ToAck).count();
        if waiting == 0 || waiting * 2 < unanswered_max {
            return Vec::new();
        }
        let overtakers = self.window.iter_mut().filter(|(_, state)| *state == State::ToAck);
        overtakers.map(|(acker, state)| (acker.clone(), *state = State::Gone)).map(|(acker, ())| Told::Ack(acker)).collect()
    }

    /// Messages that are in hand or not told of.
    #[cfg(test)]
    fn unanswered(&self) -> usize {
        self.window.iter().filter(|(_, state)| *state != State::Gone).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn delivered(tags: u64) -> Tags<u64> {
        let mut all = Tags::default();
        (1..=tags).for_each(|tag| all.delivered(tag, tag));
        all
    }

    fn acks(tags: &[u64]) -> Vec<(u64, Fate)> {
        tags.iter().map(|tag| (*tag, Fate::Ack)).collect()
    }

    #[test]
    fn many_are_acked_at_once_but_none_that_is_in_hand() {
        let mut tags = delivered(10);
        assert_eq!(tags.answer(acks(&[2, 3]), 100), []);
        assert_eq!(tags.answer(acks(&[1, 5]), 100), [Told::AckUpTo(3)]);
        assert_eq!(tags.answer(acks(&[4]), 100), [Told::AckUpTo(5)]);
    }

    #[test]
    fn one_that_takes_its_time_does_not_stop_the_class() {
        let mut tags = delivered(4);
        assert_eq!(tags.answer(acks(&[2]), 4), [], "one of four: a moment's wait");
        assert_eq!(tags.answer(acks(&[4]), 4), [Told::Ack(2), Told::Ack(4)]);
        assert_eq!(tags.answer(acks(&[1]), 4), [Told::AckUpTo(1)]);
        assert_eq!(tags.answer(acks(&[3]), 4), [Told::AckUpTo(3)]);
    }

    #[test]
    fn what_was_rejected_is_not_acked_again() {
        let mut tags = delivered(3);
        assert_eq!(tags.answer([(3, Fate::Reject)], 100), [Told::Reject(3)]);
        assert_eq!(tags.answer(acks(&[1, 2]), 100), [Told::AckUpTo(2)], "3 is unknown to the broker by now");
        assert_eq!(tags.answer([(1, Fate::Ack), (9, Fate::Ack)], 100), [], "unknown tags are nobody's");
        tags.delivered(4, 4);
        assert_eq!(tags.answer([(4, Fate::Return)], 100), [Told::Return(4)]);
    }

    proptest! {
        /// What a broker would believe: every tag is answered once, and none before its message was.
        #[test]
        fn every_tag_is_answered_once(order in Just((1_u64..=60).collect::<Vec<_>>()).prop_shuffle(), chunk in 1_usize..9, owed in 1_usize..40, kinds in prop::collection::vec(0_u8..4, 60)) {
            let mut tags = delivered(60);
            let (mut in_hand, mut unacked): (Vec<u64>, Vec<u64>) = ((1..=60).collect(), (1..=60).collect());
            for chunk in order.chunks(chunk) {
                let fate = |tag: u64| match kinds[usize::try_from(tag).expect("small") - 1] { 0 => Fate::Reject, 1 => Fate::Return, _ => Fate::Ack };
                in_hand.retain(|tag| !chunk.contains(tag));
                for told in tags.answer(chunk.iter().map(|tag| (*tag, fate(*tag))), owed) {
                    let answered: Vec<u64> = match told {
                        Told::AckUpTo(tag) => unacked.iter().copied().filter(|other| *other <= tag).collect(),
                        Told::Ack(tag) | Told::Reject(tag) | Told::Return(tag) => vec![tag],
                    };
                    let (Told::AckUpTo(tag) | Told::Ack(tag) | Told::Reject(tag) | Told::Return(tag)) = told;
                    prop_assert!(unacked.contains(&tag), "the broker does not know {}", tag);
                    prop_assert!(answered.iter().all(|tag| !in_hand.contains(tag)), "{:?} answers for one in hand", answered);
                    unacked.retain(|tag| !answered.contains(tag));
                }
            }
            prop_assert_eq!((unacked, tags.unanswered()), (vec![], 0));
        }
    }
}
