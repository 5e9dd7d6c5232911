//! Does the PostgreSQL store keep the port's promises, and those that only it makes?

/// Leaves the test, counted as skipped, when no server was started for this run.
macro_rules! needs_postgres {
    () => {
        if testkit::servers::postgres().is_none() {
            testkit::skip!("postgres", testkit::servers::HOW);
        }
    };
}

mod contract;
mod dump;
mod fixture;
mod group;
mod hot;
mod opening;
mod packing;
mod partitions;
mod past_lock;
mod plans;
mod poison;
mod racing;
mod racing_acts;
mod racing_effects;
mod robust;
mod server_run;
mod standby;
mod steer;
mod strained;
mod sweep;
mod sweep_acts;
mod thinning;
