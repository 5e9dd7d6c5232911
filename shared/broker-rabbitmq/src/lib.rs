//! `broker-rabbitmq` is the broker port over RabbitMQ: hints travel as small messages through one queue per class. It is a fast
//! and forgetful messenger: what it loses, the ledger knows (I1). It does not know what a job is.

mod address;
mod advice;
mod announce;
mod broker;
mod check;
mod confirmations;
mod consumer;
mod consuming;
mod dead_letters;
mod declare;
mod episode;
mod error;
mod health;
mod hold;
mod hub;
mod lane;
mod lifeless;
mod line;
mod link;
mod looks;
mod made;
mod making;
mod message;
mod options;
mod publishing;
mod subscription;
mod tags;
mod topology;
mod troubles;

pub use address::AddressError;
pub use broker::RabbitBroker;
pub use check::{CheckError, RabbitCheck, check};
pub use health::RabbitHealth;
pub use options::{Clock, QueueType, RabbitOptions};
