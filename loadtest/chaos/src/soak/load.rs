//! Who submits? Clients that go on at a steady rate through every fault, each request under one idempotency key until some producer
//! has answered it; what they learn is told to the oracle.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use flotilla_client::{Client, Error};
use parking_lot::Mutex;
use serde_json::{Value, json};
use testkit::oracle::Oracle;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::mix::{self, Burst, MEAN_JOBS, Wish};
use crate::fleet::ids;

/// Requests that wait for an answer at the same time; with more, the load pauses as clients do.
const UNDER_WAY_MAX: usize = 96;
const TRY_EVERY: Duration = Duration::from_millis(100);
/// A cancel that nobody takes is given up: the job then simply runs.
const CANCEL_TRIES: u32 = 20;

/// What the clients know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Requests begun, and of those, the answered ones.
    pub sent: u64,
    pub answered: u64,
    /// Jobs that were accepted.
    pub jobs: u64,
    /// Tries that failed, whatever became of the request in the end.
    pub failed_tries: u64,
    /// Moments at which there were too many unanswered requests to send another one.
    pub skipped: u64,
    pub cancelled: u64,
}

pub struct Load {
    seed: u64,
    judge: String,
    producers: Mutex<Vec<Option<Client>>>,
    /// Failed tries by producer.
    failed: Mutex<Vec<u64>>,
    counts: Mutex<Counts>,
    /// What a client must never be told, by what it was.
    surprises: Mutex<BTreeMap<String, u64>>,
    pub oracle: Mutex<Oracle>,
    under_way: Arc<Semaphore>,
    stopped: AtomicBool,
    bursts: AtomicU64,
}

/// Milliseconds since 1970: what the oracle compares with the judge's and the database's clocks, all of one host.
pub fn now_ms() -> u64 {
    u64::try_from(UNIX_EPOCH.elapsed().unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

impl Load {
    pub fn new(seed: u64, judge: String, producers: usize) -> Arc<Self> {
        Arc::new(Self {
            seed,
            judge,
            producers: Mutex::new(vec![None; producers]),
            failed: Mutex::new(vec![0; producers]),
            counts: Mutex::default(),
            surprises: Mutex::default(),
            oracle: Mutex::new(Oracle::new()),
            under_way: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
            stopped: AtomicBool::new(false),
            bursts: AtomicU64::new(0),
        })
    }

    /// The producer at this place is another process from now on.
    pub fn replace(&self, place: usize, client: Client) {
        self.producers.lock()[place] = Some(client);
    }

    pub fn counts(&self) -> Counts {
        *self.counts.lock()
    }

    /// Tries that this producer did not answer well.
    pub fn failed(&self, place: usize) -> u64 {
        self.failed.lock()[place]
    }

    pub fn surprises(&self) -> BTreeMap<String, u64> {
        self.surprises.lock().clone()
    }

    /// Submits until it is stopped.
    pub async fn go_on(self: Arc<Self>, jobs_per_sec: f64) {
        let mut ticks = interval(Duration::from_secs_f64(MEAN_JOBS / jobs_per_sec));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in 0.. {
            ticks.tick().await;
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            self.begin(mix::wish(self.seed, number, &self.judge), number);
        }
    }

    /// Many jobs at once, so that hints wait in the broker.
    pub fn burst(self: &Arc<Self>, kind: Burst) {
        let number = self.bursts.fetch_add(1, Ordering::SeqCst);
        self.begin(mix::burst(&format!("s{}-burst-{number}", self.seed), &self.judge, kind), number);
    }

    fn begin(self: &Arc<Self>, wish: Wish, place: u64) {
        let Ok(permit) = Arc::clone(&self.under_way).try_acquire_owned() else {
            self.counts.lock().skipped += 1;
            return;
        };
        self.counts.lock().sent += 1;
        let load = Arc::clone(self);
        tokio::spawn(async move {
            load.submit(wish, usize::try_from(place).unwrap_or(0)).await;
            drop(permit);
        });
    }

    /// Begins nothing more, and waits until everything is answered. Returns how many requests nobody has answered.
    pub async fn stop(&self, within: Duration) -> usize {
        self.stopped.store(true, Ordering::SeqCst);
        let all = u32::try_from(UNDER_WAY_MAX).expect("it fits");
        match timeout(within, self.under_way.acquire_many(all)).await {
            Ok(_) => 0,
            Err(_) => UNDER_WAY_MAX - self.under_way.available_permits(),
        }
    }

    async fn submit(&self, wish: Wish, mut place: usize) {
        let mut tries = interval(TRY_EVERY);
        tries.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tries.tick().await;
            place += 1;
            let Some((at, client)) = self.producer(place) else { continue };
            match client.post_text(wish.path, wish.body.clone(), Some(&wish.name)).await {
                Ok(answer) => return self.accepted(wish, &answer.body).await,
                Err(error) => {
                    self.counts.lock().failed_tries += 1;
                    self.failed.lock()[at] += 1;
                    if !error.is_temporary() {
                        self.oracle.lock().refused(&wish.name);
                        *self.surprises.lock().entry(format!("a submission was refused: {error}")).or_default() += 1;
                        return;
                    }
                    self.oracle.lock().unknown(&wish.name);
                }
            }
        }
    }

    async fn accepted(&self, wish: Wish, body: &Value) {
        let accepted = if wish.path.ends_with("batch") { ids(body) } else { vec![body["id"].as_str().unwrap_or_default().to_owned()] };
        self.oracle.lock().accepted(&wish.name, &accepted, now_ms());
        {
            let mut counts = self.counts.lock();
            counts.answered += 1;
            counts.jobs += u64::try_from(accepted.len()).expect("it fits");
        }
        if let (Some(after), Some(id)) = (wish.cancel_after, accepted.first()) {
            testkit::hold(after, "the person who cancels takes his time").await;
            self.cancel(id).await;
        }
    }

    /// Asks to cancel a job. Whether it still can be is the fleet's business; that there is such a job is known.
    pub async fn cancel(&self, id: &str) {
        let mut tries = interval(TRY_EVERY * 5);
        for place in 0..CANCEL_TRIES {
            tries.tick().await;
            let Some((_, client)) = self.producer(usize::try_from(place).expect("it fits")) else { continue };
            match client.post(&format!("/v1/jobs/{id}/cancel"), &json!({})).await {
                Ok(_) => {
                    self.counts.lock().cancelled += 1;
                    return;
                }
                Err(error) if error.is_temporary() => {}
                // It had ended before.
                Err(Error::Problem(problem)) if problem.status == 409 => return,
                Err(error) => {
                    *self.surprises.lock().entry(format!("a cancel was refused: {error}")).or_default() += 1;
                    return;
                }
            }
        }
    }

    /// The next producer from this place on that there is.
    fn producer(&self, place: usize) -> Option<(usize, Client)> {
        let producers = self.producers.lock();
        let count = producers.len();
        (0..count).map(|step| (place + step) % count).find_map(|at| producers[at].clone().map(|client| (at, client)))
    }
}
