//! Which real servers may a test use? Those that `cargo xtask test` started, each test with names of its own in them, and
//! private ones for tests that break theirs.
//!
//! ```text
//! let Some(server) = servers::postgres() else { testkit::skip!("postgres", servers::HOW) };
//! let database = servers::unique_name("t");   // the test makes it through `server.admin_url()`
//! let url = server.url(&database);
//!
//! let Some(server) = servers::rabbitmq() else { testkit::skip!("rabbitmq", servers::HOW) };
//! let vhost = server.fresh_vhost().await;     // gone when it is dropped
//! ```

mod database;
mod private;
mod rabbit;
mod vhost;

use std::sync::atomic::{AtomicU32, Ordering};

use url::Url;

pub use database::Database;
pub use private::{Private, PrivatePostgres, PrivateRabbit, PrivateRedis};
pub use private_servers::{Extras, Stop, free_port};
pub use rabbit::RabbitServer;
pub use vhost::{Consumer, Message, Queue, Vhost};

use crate::environment::variable;

/// Why a test is skipped, and how to have it run.
pub const HOW: &str = "no server was started for this run; `cargo xtask test` starts those that it can have";

static NAMES: AtomicU32 = AtomicU32::new(0);

/// A name that no other test has, now or later: a small letter or two, and digits. Good for a database, a virtual host, a prefix.
pub fn unique_name(prefix: &str) -> String {
    let count = NAMES.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}{}_{count}_{}", std::process::id(), private_servers::random_hex(4))
}

/// The PostgreSQL of this run, if there is one.
pub fn postgres() -> Option<PostgresServer> {
    PostgresServer::at(&variable("TEST_POSTGRES_URL"))
}

/// The RabbitMQ of this run, if there is one.
pub fn rabbitmq() -> Option<RabbitServer> {
    RabbitServer::at(&variable("TEST_RABBITMQ_URL"), &variable("TEST_RABBITMQ_ADMIN"))
}

/// The type of queues that this run is about: `quorum`, unless the run is there for `classic` ones.
pub fn queue_type() -> String {
    Some(variable("TEST_BROKER_QUEUE_TYPE")).filter(|wish| !wish.is_empty()).unwrap_or_else(|| "quorum".to_owned())
}

/// The Redis of this run, if there is one.
pub fn redis() -> Option<RedisServer> {
    let url = variable("TEST_REDIS_URL");
    (!url.is_empty()).then_some(RedisServer { url })
}

/// A PostgreSQL in which we are superuser.
#[derive(Clone)]
pub struct PostgresServer {
    url: Url,
}

impl PostgresServer {
    fn at(url: &str) -> Option<Self> {
        (!url.is_empty()).then(|| Self { url: parsed("TEST_POSTGRES_URL", url) })
    }

    /// The URL of a database, which need not exist.
    pub fn url(&self, database: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(database);
        url.to_string()
    }

    /// The URL of the database from which others are made.
    pub fn admin_url(&self) -> String {
        self.url("postgres")
    }

    pub fn port(&self) -> u16 {
        self.url.port().unwrap_or(5432)
    }
}

/// A Redis that other tests use as well: every key and channel needs a prefix.
#[derive(Clone)]
pub struct RedisServer {
    url: String,
}

impl RedisServer {
    pub fn url(&self) -> String {
        self.url.clone()
    }

    pub fn port(&self) -> u16 {
        parsed("TEST_REDIS_URL", &self.url).port().unwrap_or(6379)
    }

    /// For the names of one test.
    pub fn fresh_prefix(&self) -> String {
        unique_name("t") + ":"
    }
}

/// The same URL with another port: that of a [`FaultProxy`](crate::FaultProxy) before the server.
///
/// # Panics
/// When it is no URL with a host.
pub fn through(url: &str, port: u16) -> String {
    let mut url = parsed("the URL", url);
    assert!(url.set_port(Some(port)).is_ok(), "the URL has no host");
    url.to_string()
}

/// A URL has a password in it, so nothing of it is said.
fn parsed(name: &str, url: &str) -> Url {
    Url::parse(url).unwrap_or_else(|error| panic!("{name} is no URL: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_plain() {
        let names = [unique_name("t"), unique_name("t")];
        assert_ne!(names[0], names[1]);
        let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        assert!(names.iter().all(|name| name.chars().all(is_plain) && name.len() < 40), "{names:?}");
    }

    #[test]
    fn urls_are_calculated() {
        let server = PostgresServer::at("postgres://u:p@127.0.0.1:5433/postgres").expect("a server");
        assert_eq!(server.url("t1"), "postgres://u:p@127.0.0.1:5433/t1");
        assert_eq!(server.admin_url(), "postgres://u:p@127.0.0.1:5433/postgres");
        assert_eq!(through(&server.url("t1"), 99), "postgres://u:p@127.0.0.1:99/t1");
        assert_eq!(through("redis://:p@127.0.0.1:6379", 99), "redis://:p@127.0.0.1:99");
        assert!(PostgresServer::at("").is_none());
    }
}
