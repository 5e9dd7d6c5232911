//! Which request or reply is to be lost? The next one with certain bytes in it, once.

use parking_lot::Mutex;

/// What of an exchange gets lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    Request,
    Reply,
}

/// What is planned, and what is happening.
#[derive(Debug, Default)]
pub struct Losses(Mutex<Plans>);

#[derive(Debug, Default)]
struct Plans {
    waiting: Vec<(Vec<u8>, Loss)>,
    under_way: usize,
}

impl Losses {
    pub fn plan(&self, bytes: Vec<u8>, loss: Loss) {
        assert!(!bytes.is_empty(), "every request contains nothing");
        self.0.lock().waiting.push((bytes, loss));
    }

    /// The first plan that this request fits, which is under way from now on.
    pub fn begin(&self, request: &[u8]) -> Option<Loss> {
        let mut plans = self.0.lock();
        let fits = |(bytes, _): &(Vec<u8>, Loss)| request.windows(bytes.len()).any(|window| window == bytes);
        let index = plans.waiting.iter().position(fits)?;
        let (_, loss) = plans.waiting.swap_remove(index);
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

    /// How much of a request must be remembered to recognise bytes that come in two pieces.
    pub fn memory(&self) -> usize {
        self.0.lock().waiting.iter().map(|(bytes, _)| bytes.len() - 1).max().unwrap_or(0)
    }
}
