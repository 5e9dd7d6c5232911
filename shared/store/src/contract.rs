//! The contract suite of the store: named cases, each an async function over a [`Fixture`], run unchanged against every adapter.
//!
//! A behaviour that is not in the suite is not a behaviour. After each case the fixture is asked for broken
//! invariants; a case passes only when there are none.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::Store;

/// What an adapter's test crate provides: a fresh, empty store of its own for each case.
#[async_trait]
pub trait Fixture: Send + Sync {
    fn store(&self) -> Arc<dyn Store>;

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

/// Instantiates every case as a test of its own: `store::contract_suite!(SqliteFixture::new().await);`
#[macro_export]
macro_rules! contract_suite {
    ($fixture:expr) => {
        $crate::store_contract_cases! { $fixture;
        }
    };
}

/// One test per case; not for use outside [`contract_suite!`].
#[doc(hidden)]
#[macro_export]
macro_rules! store_contract_cases {
    ($fixture:expr; $($module:ident::$case:ident,)*) => {
        $(
            mod $case {
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn holds() {
                    use super::*;
                    let mut fixture = $fixture;
                    $crate::contract::$module::$case(&mut fixture).await;
                    $crate::contract::check(&fixture, stringify!($case)).await;
                }
            }
        )*
    };
}

/// Fails the case when an invariant is broken after it.
pub async fn check(fixture: &dyn Fixture, case: &str) {
    let violations = fixture.violations().await;
    if !violations.is_empty() {
        panic!("after `{case}` these invariants are broken: {violations:#?}\n{}", fixture.dump().await);
    }
}
