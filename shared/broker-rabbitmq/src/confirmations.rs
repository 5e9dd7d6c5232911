//! Which emissions has the broker taken? A message that could not be routed is confirmed as well, and the client library may hand
//! the returned message out with the confirmation of another one: it is recognised by its own id, and confirmations are
//! held back for a moment so that it can overtake them.

use std::collections::HashSet;

use broker::Ledger;
use domain::{EmissionId, Timestamp};

/// Returned messages whose own confirmation has not come yet.
const RETURNED_MAX: usize = 4_096;

#[derive(Debug, Default)]
pub(crate) struct Confirmations {
    /// Confirmed since the last telling.
    fresh: Vec<(EmissionId, Timestamp)>,
    /// Confirmed before it: nothing about them can still come in.
    settled: Vec<(EmissionId, Timestamp)>,
    returned: HashSet<EmissionId>,
}

impl Confirmations {
    pub fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.settled.is_empty()
    }

    pub fn confirmed(&mut self, emission: EmissionId, at: Timestamp) {
        if !self.returned.remove(&emission) {
            self.fresh.push((emission, at));
        }
    }

    /// The broker had no queue for it.
    pub fn returned(&mut self, emission: EmissionId) {
        let before = self.fresh.len() + self.settled.len();
        self.fresh.retain(|(confirmed, _)| *confirmed != emission);
        self.settled.retain(|(confirmed, _)| *confirmed != emission);
        let was_confirmed = self.fresh.len() + self.settled.len() < before;
        if !was_confirmed && self.returned.len() < RETURNED_MAX {
            self.returned.insert(emission);
        }
    }

    /// Tells the ledger what has been confirmed for a while.
    pub fn tell(&mut self, ledger: &dyn Ledger) {
        self.settled.drain(..).for_each(|(emission, at)| ledger.confirmed(emission, at));
        std::mem::swap(&mut self.settled, &mut self.fresh);
    }

    /// Tells everything: for when nothing can come in any more.
    pub fn tell_all(&mut self, ledger: &dyn Ledger) {
        self.tell(ledger);
        self.tell(ledger);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Unsent;
    use parking_lot::Mutex;

    #[derive(Default)]
    struct Told(Mutex<Vec<u8>>);

    impl Ledger for Told {
        fn confirmed(&self, emission: EmissionId, _: Timestamp) {
            self.0.lock().push(emission.as_bytes()[0]);
        }

        fn doubt(&self, _: Unsent) {}
    }

    fn id(n: u8) -> EmissionId {
        EmissionId::from_bytes([n; 16])
    }

    /// I16: what is confirmed is not sent again, so it must not be said of what came back.
    #[test]
    fn a_returned_message_is_not_confirmed_whichever_comes_first() {
        let (mut confirmations, told, at) = (Confirmations::default(), Told::default(), Timestamp::default());
        confirmations.confirmed(id(1), at);
        confirmations.confirmed(id(2), at);
        confirmations.returned(id(1));
        confirmations.returned(id(3));
        confirmations.confirmed(id(3), at);
        confirmations.tell(&told);
        assert_eq!(*told.0.lock(), Vec::<u8>::new(), "held back for a moment");
        confirmations.confirmed(id(4), at);
        confirmations.tell(&told);
        assert_eq!(*told.0.lock(), [2]);
        confirmations.returned(id(4));
        confirmations.tell(&told);
        assert_eq!(*told.0.lock(), [2], "came back in the last moment");
        confirmations.confirmed(id(3), at);
        confirmations.tell(&told);
        confirmations.tell(&told);
        assert_eq!(*told.0.lock(), [2, 3], "sent again, it was taken");
        assert!(confirmations.is_empty());
    }
}
