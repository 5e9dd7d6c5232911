//! A client that does not give up: batch after batch under idempotency keys, each sent until some producer has taken it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use flotilla_client::Client;
use parking_lot::Mutex;
use serde_json::Value;
use testkit::within;
use tokio::time::interval;

use crate::fleet::{batch, ids};

/// A batch that nobody has taken by then is lost, and the test with it.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);
const TRY_EVERY: Duration = Duration::from_millis(50);

/// What the clients know.
#[derive(Default)]
pub struct Submission {
    /// The producers there are; their number stays the same.
    pub producers: Mutex<Vec<Client>>,
    /// The ids of each batch that was taken.
    taken: Mutex<BTreeMap<usize, Vec<String>>>,
    /// How often a producer did not answer.
    pub refused: Mutex<usize>,
}

impl Submission {
    pub fn to(producers: Vec<Client>) -> Arc<Self> {
        Arc::new(Self { producers: Mutex::new(producers), ..Self::default() })
    }

    /// Submits batches of so many jobs each, first to the producer at `place`.
    pub async fn submit(&self, batches: Range<usize>, jobs: usize, url: &str, place: usize) {
        for number in batches {
            let taken = within("a batch is taken", TAKEN_WITHIN, self.sent(number, batch(url, number, jobs), place)).await;
            self.taken.lock().insert(number, ids(&taken));
        }
    }

    /// Sends it to one producer after the other until it is answered.
    async fn sent(&self, number: usize, body: String, mut place: usize) -> Value {
        let mut tries = interval(TRY_EVERY);
        loop {
            tries.tick().await;
            let producer = {
                let producers = self.producers.lock();
                producers[place % producers.len()].clone()
            };
            match producer.post_text("/v1/jobs/batch", body.clone(), Some(&format!("batch-{number}"))).await {
                Ok(answer) => return answer.body,
                Err(_) => *self.refused.lock() += 1,
            }
            place += 1;
        }
    }

    /// How many batches were taken so far.
    pub fn batches(&self) -> usize {
        self.taken.lock().len()
    }

    /// The ids of all jobs that were taken.
    pub fn ids(&self) -> BTreeSet<String> {
        self.taken.lock().values().flatten().cloned().collect()
    }

    /// The ids that a batch got.
    pub fn ids_of(&self, number: usize) -> Vec<String> {
        self.taken.lock().get(&number).cloned().unwrap_or_default()
    }
}
