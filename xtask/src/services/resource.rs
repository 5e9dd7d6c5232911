//! Which servers are there, and what else do tests need of the system? What are they called, and which package has them?

use private_servers::Programs;

/// A server, or something else, that tests need and that may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    Postgres,
    Rabbitmq,
    Redis,
    /// A clock that is wrong, for one process.
    Faketime,
}

impl Resource {
    pub const SERVERS: [Self; 3] = [Self::Postgres, Self::Rabbitmq, Self::Redis];
    pub const ALL: [Self; 4] = [Self::Postgres, Self::Rabbitmq, Self::Redis, Self::Faketime];

    /// The package of Debian.
    pub fn package(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::Rabbitmq => "rabbitmq-server",
            Self::Redis => "redis-server",
            Self::Faketime => "libfaketime",
        }
    }

    /// What to do where there is no Debian.
    pub fn otherwise(self) -> &'static str {
        match self {
            Self::Postgres => "have `initdb` and `postgres` (15 or newer) in one directory of the PATH",
            Self::Rabbitmq => "have the `rabbitmq-server` (3.10 or newer) and the `epmd` of its Erlang on the PATH",
            Self::Redis => "have `redis-server` (7 or newer) on the PATH",
            Self::Faketime => "have TEST_FAKETIME name its `libfaketimeMT.so.1`",
        }
    }

    /// The crate through which it is used: who does not depend on it cannot need the server.
    pub fn used_through(self) -> &'static str {
        match self {
            Self::Postgres => "store-postgres",
            Self::Rabbitmq => "broker-rabbitmq",
            Self::Redis => "coordination-redis",
            Self::Faketime => "chaos",
        }
    }

    pub fn is_installed(self, programs: &Programs) -> bool {
        match self {
            Self::Postgres => programs.postgres.is_some(),
            Self::Rabbitmq => programs.rabbitmq.is_some(),
            Self::Redis => programs.redis.is_some(),
            Self::Faketime => programs.faketime.is_some(),
        }
    }
}
