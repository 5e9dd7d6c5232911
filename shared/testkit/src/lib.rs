//! `testkit` is what tests need and the product must not: waiting on facts, scratch directories, children that
//! end with their test, real servers and ways to come between them and a client, and skips that count. It is a
//! dev-dependency only, and knows no role and no adapter.

mod child;
mod environment;
mod eventually;
mod faketime;
mod fault_proxy;
mod hold;
mod measured;
pub mod oracle;
mod programs;
pub mod python;
pub mod receiver;
mod scratch;
pub mod servers;
mod skips;

pub use child::ChildGuard;
pub use eventually::{Fact, eventually, eventually_or, within};
pub use faketime::{NO_FAKETIME, clock_off_by, faketime};
pub use fault_proxy::{Counts, FaultProxy, Mode, Slow, Towards};
pub use hold::hold;
pub use measured::measured;
pub use programs::program;
pub use scratch::Scratch;
pub use skips::skip;
