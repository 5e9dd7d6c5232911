//! Handlers of `/v1/jobs`: submit one or many, list, look at one, follow one, act on one.

mod action;
mod batch;
mod detail;
mod due;
mod events;
mod listing;
mod steer;
mod submit;

pub use action::{cancel, retry};
pub use batch::submit_batch;
pub use detail::{Shelf, job, logs, result, timeline};
pub use due::due;
pub use events::{Live, events};
pub use listing::list;
pub use steer::{reprioritize, reschedule, run_now};
pub use submit::submit;
