//! The API through its real router, over the real embedded store, broker and feed.

mod access;
mod action;
mod answers;
mod batch;
mod bench;
mod corpus;
mod document;
mod double;
mod events;
mod express;
mod figures;
mod hostile;
mod idempotency;
mod limits;
mod openapi;
mod operations;
mod outage;
mod overload;
mod reading;
mod request;
mod shapes;
mod steer;
mod submission;
mod walk;
mod wire;
