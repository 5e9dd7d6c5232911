//! `chaos` is the laboratory in which the fleet is broken on purpose: real processes on real servers, faults between them, and a judge
//! outside who knows what was accepted and what was done. Its tests are the failure matrix, row by row. Nobody ships it.
#![expect(clippy::expect_used, reason = "what fails here fails the test")]

pub mod client;
pub mod fleet;
pub mod hints;
pub mod judge;
pub mod process;
pub mod servers;
pub mod stage;
pub mod submitter;
