//! `chaos` is the laboratory in which the fleet is broken on purpose: real processes on real servers, faults between them, and a judge
//! outside who knows what was accepted and what was done. Its tests are the failure matrix, row by row. Nobody ships it.
#![expect(clippy::expect_used, reason = "what fails here fails the test")]

pub mod api;
pub mod client;
pub mod database;
pub mod fleet;
pub mod hints;
pub mod judge;
pub mod kinds;
pub mod load;
pub mod orders;
pub mod process;
pub mod proxied;
pub mod redis;
pub mod servers;
pub mod small_disk;
pub mod soak;
pub mod stage;
pub mod submitter;

pub use testkit::measured;
