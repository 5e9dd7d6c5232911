//! PostgreSQL, RabbitMQ and Redis for one test: a database and a virtual host of its own.

use testkit::servers::{self, Database, PrivateRabbit, RedisServer, Vhost};

use crate::fleet::Urls;

/// What a fleet of a test works with; gone when it is dropped.
pub struct Servers {
    pub database: Database,
    pub vhost: Vhost,
    pub redis: RedisServer,
}

impl Servers {
    /// The error names what is missing.
    pub async fn fresh() -> Result<Self, &'static str> {
        let postgres = servers::postgres().ok_or("postgres")?;
        let rabbitmq = servers::rabbitmq().ok_or("rabbitmq")?;
        let redis = servers::redis().ok_or("redis")?;
        let (database, vhost) = tokio::join!(postgres.fresh_database(), rabbitmq.fresh_vhost());
        Ok(Self { database, vhost, redis })
    }
}

/// The same with a broker of the test's own, to be broken.
pub struct OwnBroker {
    pub database: Database,
    pub rabbit: PrivateRabbit,
    pub redis: RedisServer,
}

impl OwnBroker {
    /// The error names what is missing.
    pub async fn fresh() -> Result<Self, &'static str> {
        let postgres = servers::postgres().ok_or("postgres")?;
        let redis = servers::redis().ok_or("redis")?;
        let (database, rabbit) = tokio::join!(postgres.fresh_database(), PrivateRabbit::start());
        Ok(Self { database, rabbit: rabbit.ok_or("rabbitmq")?, redis })
    }

    pub fn urls(&self) -> Urls {
        Urls { database: self.database.url(), broker: self.rabbit.url(), redis: self.redis.url() }
    }

    /// The setting by which a role goes through a proxy to the broker.
    pub fn through(&self, port: u16) -> (&'static str, String) {
        ("FLOTILLA_BROKER_URL", servers::through(&self.rabbit.url(), port))
    }
}

/// `fresh_servers!()`: servers of the test's own, or its end as skipped.
#[macro_export]
macro_rules! fresh_servers {
    () => {
        match $crate::servers::Servers::fresh().await {
            Ok(servers) => servers,
            Err(missing) => testkit::skip!(missing, testkit::servers::HOW),
        }
    };
}

/// `own_broker!()`: the same with a broker that the test may break.
#[macro_export]
macro_rules! own_broker {
    () => {
        match $crate::servers::OwnBroker::fresh().await {
            Ok(servers) => servers,
            Err(missing) => testkit::skip!(missing, testkit::servers::HOW),
        }
    };
}
