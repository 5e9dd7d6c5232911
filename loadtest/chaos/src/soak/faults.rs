//! Who throws the faults? Somebody with the schedule and a watch, who keeps the book of what came of each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::coverage::{Coverage, Fate};
use super::load::now_ms;
use super::schedule::{AT_ONCE_MAX, Planned};
use super::site::Site;
use super::strike::{Proof, strike};

/// Neither breaking nor mending takes longer.
const HEALED_WITHIN: Duration = Duration::from_secs(240);
/// How often it is tried to mend what did not heal.
const REPAIRS: usize = 5;
/// Evidence that is not there when everything has ended will not come.
const PROVEN_WITHIN: Duration = Duration::from_secs(10);

/// What is going on, and what has become of what went on.
#[derive(Default)]
pub struct Book {
    active: Mutex<BTreeMap<usize, String>>,
    thrown: Mutex<usize>,
    /// When each was thrown and when it was healed, in milliseconds since the beginning, for whoever reads logs.
    diary: Mutex<Vec<String>>,
}

/// All faults of a run, thrown one by one.
pub struct Faults {
    pub book: Arc<Book>,
    proofs: JoinSet<(Planned, Fate)>,
}

impl Book {
    pub fn active(&self) -> Vec<String> {
        self.active.lock().values().cloned().collect()
    }

    pub fn thrown(&self) -> usize {
        *self.thrown.lock()
    }

    pub fn diary(&self) -> Vec<String> {
        self.diary.lock().clone()
    }

    fn begins(&self, planned: Planned) {
        *self.thrown.lock() += 1;
        let name = format!("{} ({})", planned.fault.name(), planned.target);
        self.diary.lock().push(format!("{} {:?} begins: {name}, held {} ms", now_ms(), planned.number, planned.held.as_millis()));
        self.active.lock().insert(planned.number, name);
    }

    fn heals(&self, planned: Planned, fate: &str) {
        self.active.lock().remove(&planned.number);
        self.diary.lock().push(format!("{} {:?} {fate}: {}", now_ms(), planned.number, planned.fault.name()));
    }
}

/// Throws every fault at its time, or as soon as others have healed, and returns when all have.
pub async fn throw(site: &Arc<Site>, schedule: &[Planned], began: Instant, book: Arc<Book>) -> Faults {
    let at_once = Arc::new(Semaphore::new(AT_ONCE_MAX));
    let mut strikes = JoinSet::new();
    let mut faults = Faults { book, proofs: JoinSet::new() };
    for planned in schedule.iter().copied() {
        sleep_until(began + planned.at).await;
        let turn = Arc::clone(&at_once).acquire_owned().await.expect("it is never closed");
        let (site, book) = (Arc::clone(site), Arc::clone(&faults.book));
        strikes.spawn(async move {
            let struck = one(site, planned, &book).await;
            drop(turn);
            (planned, struck)
        });
        while let Some(struck) = strikes.try_join_next() {
            faults.prove(struck);
        }
    }
    while let Some(struck) = strikes.join_next().await {
        faults.prove(struck);
    }
    faults
}

/// On a thread of its own, so that whoever cannot break or mend something may panic, and may wait as tests do.
async fn one(site: Arc<Site>, planned: Planned, book: &Book) -> Result<Proof, String> {
    foretell(&site, planned).await;
    book.begins(planned);
    let striking = tokio::task::spawn_blocking({
        let (site, runtime) = (Arc::clone(&site), Handle::current());
        move || runtime.block_on(async { timeout(HEALED_WITHIN, strike(&site, planned)).await })
    });
    let struck = match striking.await {
        Ok(Ok(proof)) => Ok(proof),
        Ok(Err(_)) => Err(format!("it had not healed within {HEALED_WITHIN:?}")),
        Err(panic) => Err(said(panic)),
    };
    // Jobs that began meanwhile are at its mercy as well.
    foretell(&site, planned).await;
    book.heals(planned, if struck.is_ok() { "healed" } else { "FAILED" });
    if struck.is_err() {
        repair(&site, planned).await;
    }
    struck
}

/// Again and again: a busy machine may not get a server to its feet at the first try.
async fn repair(site: &Arc<Site>, planned: Planned) {
    for _ in 0..REPAIRS {
        let (site, runtime) = (Arc::clone(site), Handle::current());
        if tokio::task::spawn_blocking(move || runtime.block_on(site.repair(planned.target))).await.is_ok() {
            return;
        }
    }
}

/// Tells the oracle how many effects may be under way.
async fn foretell(site: &Site, planned: Planned) {
    let in_flight = usize::try_from(site.running().await).unwrap_or(usize::MAX);
    site.load.oracle.lock().fault(planned.fault.name(), now_ms(), in_flight);
}

impl Faults {
    fn prove(&mut self, struck: Result<(Planned, Result<Proof, String>), JoinError>) {
        let (planned, struck) = struck.expect("panics are caught before");
        self.proofs.spawn(async move {
            let fate = match struck {
                Ok(proof) => proof.await.map_or(Fate::Missed, Fate::Bit),
                Err(why) => Fate::Failed(why),
            };
            (planned, fate)
        });
    }

    /// What came of them, when everything has ended.
    pub async fn coverage(mut self, schedule: &[Planned]) -> Coverage {
        let (mut coverage, mut open) = (Coverage::default(), schedule.to_vec());
        let proving = async {
            while let Some(proven) = self.proofs.join_next().await {
                // A proof that panics proves nothing.
                let Ok((planned, fate)) = proven else { continue };
                open.retain(|other| other.number != planned.number);
                coverage.add(planned, fate);
            }
        };
        let _ended = timeout(PROVEN_WITHIN, proving).await;
        open.into_iter().for_each(|planned| coverage.add(planned, Fate::Missed));
        coverage
    }
}

fn said(panic: JoinError) -> String {
    let Ok(panic) = panic.try_into_panic() else { return "it was aborted".to_owned() };
    let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "it panicked".to_owned())
}
