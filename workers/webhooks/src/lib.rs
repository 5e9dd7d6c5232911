//! `webhooks-worker` delivers webhooks: signed, guarded against requests to where they must not go, classified.
//! It does not retry: a failure says whether and when, and the engine records it.

mod classify;
mod clients;
mod deliver;
pub mod guard;
mod handler;
mod response;
mod retry_after;
mod routes;
mod settings;

pub use classify::of_status;
pub use deliver::{Attempt, Deliverer, Delivery};
pub use handler::{DeliverHandler, Parts, register};
pub use retry_after::wait_of;
pub use routes::{Route, Routes};
pub use settings::WebhooksSettings;
