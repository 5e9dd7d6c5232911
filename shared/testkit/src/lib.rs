//! `testkit` is what tests need and the product must not: waiting on facts, scratch directories, children that
//! end with their test, real servers and ways to come between them and a client, and skips that count. It is a
//! dev-dependency only, and knows no role and no adapter.

mod child;
mod environment;
mod eventually;
mod fault_proxy;
mod programs;
pub mod python;
pub mod receiver;
mod scratch;
pub mod servers;
mod skips;

pub use child::ChildGuard;
pub use eventually::{Fact, eventually, eventually_or, within};
pub use fault_proxy::{FaultProxy, Mode};
pub use programs::program;
pub use scratch::Scratch;
pub use skips::skip;
