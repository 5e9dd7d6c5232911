//! PostgreSQL, RabbitMQ and Redis for one test: a database and a virtual host of its own.

use testkit::servers::{self, Database, RedisServer, Vhost};

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
