//! The runtime on the embedded engine: every outcome, and every fault that concerns one process.

mod claims;
mod effects;
mod fence;
mod fleet;
mod outcomes;
mod said;
mod stopping;
