//! `kinds` is what jobs of each kind carry and how they are treated by default. It does not run them.
//!
//! A kind's payload is a contract with everybody who ever submitted one: fields are added, never renamed or
//! removed, and every version of a payload is kept as a golden file that must still decode.

mod callback;
mod kind;
mod webhooks;

pub use callback::callback_payload;
pub use kind::{Kind, info_of};
pub use webhooks::{DEFAULT_ENDPOINT, Deliver, Delivered, Target};
