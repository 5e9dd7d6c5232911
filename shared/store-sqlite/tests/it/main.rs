//! Does the SQLite store keep the port's promises, and those that only it makes?

mod clocks;
mod contract;
mod dump;
mod fixture;
mod group;
mod log;
mod opening;
mod plans;
mod poison;
mod scans;
mod sweep;
mod sweep_acts;
mod upgrade;
mod writer;
