//! `runtime` is what happens to one job, end to end: slot, hint, claim, layers, handler, verdict, settle - and to a
//! worker: register, renew, fence, drain. It does not know which store or broker it works with, or what kinds do.

mod capture;
mod claims;
mod context;
mod effect;
mod execution;
mod express;
mod feedline;
mod handler;
mod holdings;
mod lease;
mod patience;
mod settler;
mod term;
mod worker;

pub use capture::capture_layer;
pub use context::JobContext;
pub use effect::{Effect, Permit};
pub use handler::{Handler, Registry, RegistryError};
pub use worker::{Drained, Parts, Worker, WorkerConfig};
