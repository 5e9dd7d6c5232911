//! The API through its real router, over the real embedded store, broker and feed.

mod access;
mod action;
mod batch;
mod bench;
mod double;
mod hostile;
mod idempotency;
mod outage;
mod reading;
mod request;
mod shapes;
mod socket;
mod submission;
mod walk;
