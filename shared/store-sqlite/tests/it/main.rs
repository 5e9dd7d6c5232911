//! Does the SQLite store keep the port's promises, and those that only it makes?

mod contract;
mod dump;
mod fixture;
mod group;
mod opening;
mod plans;
mod sweep;
