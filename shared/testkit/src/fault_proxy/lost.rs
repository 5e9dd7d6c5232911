//! Which request or reply is to be lost? The next one with certain bytes in it, once.

use std::collections::BTreeSet;

use parking_lot::Mutex;

/// What of an exchange gets lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    Request,
    Reply,
    /// The request and all that follows it; the connection stays open.
    Rest,
}

/// What is planned, and what is happening.
#[derive(Debug, Default)]
pub struct Losses(Mutex<Plans>);

/// What a connection has said lately, and what it has said for good.
#[derive(Debug, Default)]
pub struct Said {
    lately: Vec<u8>,
    /// Numbers of plans whose first bytes it has said.
    ripe: BTreeSet<u64>,
}

#[derive(Debug, Default)]
struct Plans {
    made: u64,
    waiting: Vec<Plan>,
    under_way: usize,
}

#[derive(Debug)]
struct Plan {
    number: u64,
    /// Only on a connection that has said this before.
    after: Option<Vec<u8>>,
    bytes: Vec<u8>,
    loss: Loss,
}

impl Losses {
    pub fn plan(&self, after: Option<Vec<u8>>, bytes: Vec<u8>, loss: Loss) {
        assert!(!bytes.is_empty() && after.as_ref().is_none_or(|after| !after.is_empty()), "every request contains nothing");
        let mut plans = self.0.lock();
        let number = plans.made;
        plans.made += 1;
        plans.waiting.push(Plan { number, after, bytes, loss });
    }

    /// The first plan that this piece of a request fits, which is under way from now on.
    pub fn begin(&self, piece: &[u8], said: &mut Said) -> Option<Loss> {
        said.lately.extend_from_slice(piece);
        let mut plans = self.0.lock();
        let index = plans.waiting.iter().position(|plan| said.fits(plan));
        // As much as is needed to recognise bytes that come in two pieces.
        let lengths = plans.waiting.iter().flat_map(|plan| [plan.bytes.len(), plan.after.as_ref().map_or(0, Vec::len)]);
        let memory = lengths.max().unwrap_or(0).saturating_sub(1);
        let forgotten = said.lately.len().saturating_sub(memory);
        said.lately.drain(..forgotten);
        let loss = plans.waiting.swap_remove(index?).loss;
        plans.under_way += 1;
        Some(loss)
    }

    pub fn end(&self) {
        self.0.lock().under_way -= 1;
    }

    pub fn are_done(&self) -> bool {
        let plans = self.0.lock();
        plans.waiting.is_empty() && plans.under_way == 0
    }
}

impl Said {
    fn fits(&mut self, plan: &Plan) -> bool {
        let mut from = 0;
        if let Some(after) = &plan.after
            && !self.ripe.contains(&plan.number)
        {
            let Some(at) = find(&self.lately, after) else { return false };
            self.ripe.insert(plan.number);
            from = at + after.len();
        }
        find(&self.lately[from..], &plan.bytes).is_some()
    }
}

fn find(text: &[u8], bytes: &[u8]) -> Option<usize> {
    text.windows(bytes.len()).position(|window| window == bytes)
}
