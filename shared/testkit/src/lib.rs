//! `testkit` is what tests need and the product must not: waiting on facts, scratch directories, children that
//! end with their test, and skips that count. It is a dev-dependency only, and knows no role and no adapter.

mod child;
mod eventually;
pub mod receiver;
mod scratch;
mod skips;

pub use child::ChildGuard;
pub use eventually::{Fact, eventually, eventually_or, within};
pub use scratch::Scratch;
pub use skips::skip;
