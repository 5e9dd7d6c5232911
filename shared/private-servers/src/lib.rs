//! `private-servers` runs PostgreSQL, RabbitMQ and Redis for tests and for work on this project: on free loopback ports,
//! in directories of their own, beside whatever else runs, and not longer than whoever started them.
//!
//! One recipe per server: [`Postgres`], [`RabbitMq`], [`Redis`]. A [`Server`] is a recipe that runs. `cargo xtask` and `testkit`
//! both start servers through it. It installs nothing, reads no environment, speaks no protocol but enough to see that a
//! server answers, and is no part of the product.

mod account;
mod error;
mod guard;
mod home;
pub mod http;
mod patience;
mod port;
mod postgres;
mod process;
mod programs;
mod rabbitmq;
mod random;
mod redis;
mod root;
mod server;

pub use account::{Account, is_root};
pub use error::ServerError;
pub use guard::Sweeper;
pub use home::{Extras, Home};
pub use port::free_port;
pub use postgres::Postgres;
pub use programs::Programs;
pub use rabbitmq::RabbitMq;
pub use random::random_hex;
pub use redis::Redis;
pub use root::Root;
pub use server::{Kept, Recipe, START_MAX, STOP_MAX, Server, Stop};
