//! The contract suite of the store: named cases, each an async function over a [`Fixture`], run unchanged against every adapter.
//!
//! A behaviour that is not in the suite is not a behaviour. After each case the fixture is asked for broken
//! invariants; a case passes only when there are none. Cases start from the nouns in [`sample`] and move jobs along
//! with the verbs of [`bench::Bench`].

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Ledger, Store};

pub mod access;
pub mod adopt;
pub mod audit;
pub mod bench;
pub mod callback;
pub mod canary;
pub mod cancel;
pub mod claim;
pub mod dead_letters;
pub mod dedup;
pub mod deferral;
pub mod effects;
pub mod ending;
pub mod enqueue;
pub mod group;
pub mod lease;
pub mod ledger;
pub mod listing;
pub mod missing;
pub mod notice;
pub mod operation;
pub mod park;
pub mod progress;
pub mod reclass;
pub mod repeat;
pub mod replay;
pub mod reprioritize;
pub mod reschedule;
pub mod rescue;
pub mod retention;
pub mod sample;
pub mod search;
pub mod settle;
mod suite;
pub mod throughput;
pub mod timers;
pub mod walk;

/// What an adapter's test crate provides: a fresh, empty store of its own for each case.
#[async_trait]
pub trait Fixture: Send + Sync {
    fn store(&self) -> Arc<dyn Store>;

    /// The ledger of the same store, where the engine has one.
    fn ledger(&self) -> Option<Arc<dyn Ledger>> {
        None
    }

    /// Moves the store's clock forward.
    fn advance(&self, by: Duration);

    /// The store as a process sees it that starts after this one died without a word.
    async fn restart(&mut self);

    /// Every invariant that does not hold now, in words: constraints between tables that the adapter can see
    /// and the port cannot (a `waiting` job has exactly its timer or its parking place, I16, …).
    async fn violations(&self) -> Vec<String>;

    /// The whole state as text, for messages of failed cases.
    async fn dump(&self) -> String;
}

/// How long a case may take before it fails with the fixture's dump.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long the dump of a failed case may take.
const DUMP_DEADLINE: Duration = Duration::from_secs(10);

/// Runs one case on a runtime of its own; for [`crate::contract_suite!`] and [`crate::ledger_suite!`].
///
/// # Panics
/// When the case panics, breaks an invariant or takes too long: the message holds the whole state of the store.
pub fn run<F: Fixture>(name: &str, fixture: impl Future<Output = F>, case: impl for<'a> AsyncFnOnce(&'a mut (dyn Fixture + 'a))) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime starts");
    let _inside = runtime.enter();
    let mut fixture = runtime.block_on(fixture);
    let end = catch_unwind(AssertUnwindSafe(|| runtime.block_on(async { tokio::time::timeout(DEADLINE, case(&mut fixture)).await })));
    let dump = || runtime.block_on(async { tokio::time::timeout(DUMP_DEADLINE, fixture.dump()).await });
    let dump = || dump().unwrap_or_else(|_| "(no dump in time)".to_owned());
    match end {
        Ok(Ok(())) => {}
        Ok(Err(_)) => panic!("`{name}` was not done after {DEADLINE:?}; the store:\n{}", dump()),
        // The case's own message was printed when it panicked; the state it left behind explains it.
        Err(payload) => {
            let text = catch_unwind(AssertUnwindSafe(dump)).unwrap_or_else(|_| resume_unwind(payload));
            panic!("`{name}` failed as told above; the store:\n{text}");
        }
    }
    let violations = runtime.block_on(fixture.violations());
    assert!(violations.is_empty(), "after `{name}` these invariants are broken: {violations:#?}\n{}", dump());
}
