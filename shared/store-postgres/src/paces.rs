//! How long do jobs of each queue take at present? What emissions are packed by, and what workers hold ready by.

use std::collections::HashMap;
use std::sync::Arc;

use domain::{Pace, QueueName};
use parking_lot::RwLock;

/// The latest figures, as the store last read them.
#[derive(Clone, Default)]
pub(crate) struct Paces {
    by_queue: Arc<RwLock<HashMap<QueueName, Pace>>>,
}

impl Paces {
    pub(crate) fn set(&self, paces: Vec<Pace>) {
        *self.by_queue.write() = paces.into_iter().map(|pace| (pace.queue.clone(), pace)).collect();
    }

    /// Ids per message; one while nothing is known.
    pub(crate) fn pack(&self, queue: &QueueName) -> usize {
        self.by_queue.read().get(queue).map_or(1, Pace::pack)
    }

    pub(crate) fn of(&self, queues: &[QueueName]) -> Vec<Pace> {
        let by_queue = self.by_queue.read();
        queues.iter().filter_map(|queue| by_queue.get(queue).cloned()).collect()
    }
}
