//! What does a client see that goes on submitting while the fleet changes under it? Batch after batch under idempotency keys, each sent
//! to one producer after the other until one has taken it, until it is told to stop.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flotilla_client::{Client, Error};
use parking_lot::Mutex;
use serde_json::Value;
use testkit::within;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::fleet::{batch, ids};

/// A client that nobody has answered by then gives up, and the test with it.
const PATIENCE: Duration = Duration::from_secs(60);
const TRY_EVERY: Duration = Duration::from_millis(50);

/// How much is submitted.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Each begins at another producer.
    pub clients: usize,
    /// Of one client.
    pub every: Duration,
    /// Jobs of one batch.
    pub batch: usize,
}

/// Clients at work.
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    producers: Mutex<Vec<Client>>,
    next: AtomicUsize,
    stopped: AtomicBool,
    seen: Mutex<Seen>,
}

/// What the clients saw.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Of all jobs that were accepted.
    pub ids: BTreeSet<String>,
    pub batches: usize,
    /// How often, by what it was: a status with its code, or what the connection did.
    pub refusals: BTreeMap<String, usize>,
    /// From the first try of a batch to the answer that took it.
    pub longest: Duration,
}

impl Load {
    /// Starts clients of these producers, whose number stays the same. `urls` are delivered to in turn.
    pub fn start(producers: Vec<Client>, urls: Vec<String>, pace: Pace) -> Self {
        let shared = Arc::new(Shared {
            producers: Mutex::new(producers),
            next: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            seen: Mutex::default(),
        });
        let client = |place: usize| tokio::spawn(Arc::clone(&shared).submit(urls.clone(), pace, place));
        let clients = (0..pace.clients).map(client).collect();
        Self { shared, clients }
    }

    /// A producer has a successor.
    pub fn replace(&self, place: usize, successor: Client) {
        self.shared.producers.lock()[place] = successor;
    }

    pub fn seen(&self) -> Seen {
        self.shared.seen.lock().clone()
    }

    /// Lets each client finish what it has begun.
    ///
    /// # Panics
    /// When a client did, because nobody took its batch.
    pub async fn stop(self) -> Seen {
        self.shared.stopped.store(true, Ordering::Relaxed);
        for client in self.clients {
            within("a client comes to its end", PATIENCE * 2, client).await.expect("everything it submitted was taken");
        }
        self.shared.seen.lock().clone()
    }
}

impl Shared {
    async fn submit(self: Arc<Self>, urls: Vec<String>, pace: Pace, place: usize) {
        let mut ticks = interval(pace.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.stopped.load(Ordering::Relaxed) {
            ticks.tick().await;
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let body = batch(&urls[number % urls.len()], number, pace.batch);
            let began = Instant::now();
            let taken = within("a batch is taken", PATIENCE, self.sent(number, &body, place)).await;
            let taken = ids(&taken);
            assert_eq!(taken.len(), pace.batch, "one job for each that was submitted");
            let mut seen = self.seen.lock();
            seen.ids.extend(taken);
            seen.batches += 1;
            seen.longest = seen.longest.max(began.elapsed());
        }
    }

    /// Sends it to one producer after the other until it is answered.
    async fn sent(&self, number: usize, body: &str, mut place: usize) -> Value {
        let mut tries = interval(TRY_EVERY);
        tries.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tries.tick().await;
            let producer = {
                let producers = self.producers.lock();
                producers[place % producers.len()].clone()
            };
            match producer.post_text("/v1/jobs/batch", body.to_owned(), Some(&format!("load-{number}"))).await {
                Ok(answer) => return answer.body,
                Err(error) => *self.seen.lock().refusals.entry(what(&error)).or_default() += 1,
            }
            place += 1;
        }
    }
}

/// Without what differs from one time to the next.
fn what(error: &Error) -> String {
    match error {
        Error::Problem(problem) => format!("{} {}", problem.status, problem.code),
        Error::Unexpected { status, .. } => format!("{status}, not of this API"),
        Error::Unreachable { why, .. } => format!("unreachable: {why}"),
        other => other.to_string(),
    }
}

impl Seen {
    /// Whether nothing was refused but for a connection that could not be had or broke, or with 503.
    ///
    /// # Panics
    /// When something was.
    pub fn refused_politely(&self) {
        let is_polite = |what: &String| what.starts_with("unreachable: ") || what.starts_with("503 ");
        assert!(self.refusals.keys().all(is_polite), "{self}");
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} batches, {} jobs, the longest wait {} ms", self.batches, self.ids.len(), self.longest.as_millis())?;
        self.refusals.iter().try_for_each(|(what, times)| write!(f, "; {times} times {what}"))
    }
}
