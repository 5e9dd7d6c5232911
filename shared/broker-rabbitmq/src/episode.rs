//! Something that may happen thousands of times and is one trouble: told when it begins and now and then, with its count.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

const TOLD_EVERY: Duration = Duration::from_secs(30);

pub(crate) struct Episode {
    what: &'static str,
    state: Mutex<(u64, Option<Instant>)>,
}

impl Episode {
    pub const fn new(what: &'static str) -> Self {
        Self { what, state: Mutex::new((0, None)) }
    }

    pub fn happened(&self, times: u64) {
        let mut state = self.state.lock();
        let (count, told_at) = &mut *state;
        *count += times;
        if told_at.is_none_or(|at| at.elapsed() >= TOLD_EVERY) {
            tracing::warn!(count = *count, "{}", self.what);
            (*count, *told_at) = (0, Some(Instant::now()));
        }
    }
}
