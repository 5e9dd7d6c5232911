//! The runtime on the embedded engine: every outcome, and every fault that concerns one process.

mod claims;
mod double;
mod effects;
mod express;
mod fence;
mod fleet;
mod leases;
mod outcomes;
mod player;
mod records;
mod said;
mod script;
mod stage;
mod stopping;
mod store_away;
mod watched;
