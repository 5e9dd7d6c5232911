//! Which servers are there, what are they called, and which package has them?

use private_servers::Programs;

/// A server that tests need and that may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    Postgres,
    Rabbitmq,
    Redis,
}

impl Resource {
    pub const ALL: [Self; 3] = [Self::Postgres, Self::Rabbitmq, Self::Redis];

    /// The package of Debian.
    pub fn package(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::Rabbitmq => "rabbitmq-server",
            Self::Redis => "redis-server",
        }
    }

    /// What to do where there is no Debian.
    pub fn otherwise(self) -> &'static str {
        match self {
            Self::Postgres => "have `initdb` and `postgres` (15 or newer) in one directory of the PATH",
            Self::Rabbitmq => "have the `rabbitmq-server` (3.10 or newer) and the `epmd` of its Erlang on the PATH",
            Self::Redis => "have `redis-server` (7 or newer) on the PATH",
        }
    }

    /// The crate through which the product uses it: who does not depend on it cannot need the server.
    pub fn adapter(self) -> &'static str {
        match self {
            Self::Postgres => "store-postgres",
            Self::Rabbitmq => "broker-rabbitmq",
            Self::Redis => "coordination-redis",
        }
    }

    pub fn is_installed(self, programs: &Programs) -> bool {
        match self {
            Self::Postgres => programs.postgres.is_some(),
            Self::Rabbitmq => programs.rabbitmq.is_some(),
            Self::Redis => programs.redis.is_some(),
        }
    }
}
