//! Handlers of `/v1/jobs`: submit one or many, list, look at one, act on one.

mod action;
mod batch;
mod detail;
mod listing;
mod submit;

pub use action::{cancel, retry};
pub use batch::submit_batch;
pub use detail::{Shelf, job, logs, result, timeline};
pub use listing::list;
pub use submit::submit;
