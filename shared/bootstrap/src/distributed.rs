//! The distributed engine's adapters: PostgreSQL, RabbitMQ and Redis, and how they are opened and closed.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use broker::Publisher;
use broker_rabbitmq::{RabbitBroker, RabbitOptions};
use coordination::{Express, Feed, InProcess, Nudges};
use coordination_redis::{RedisCoordination, RedisOptions};
use settings::ServerUrl;
use store::Store as _;
use store_postgres::{PostgresOptions, PostgresStore};
use telemetry::{Metrics, chain};
use tokio::time::{Instant, sleep_until, timeout};

use crate::api_publisher::ApiPublisher;
use crate::backends::Servers;
use crate::broker_gauges::BrokerGauges;
use crate::outbox::Outbox;
use crate::{EngineError, Opening};

/// How long a start waits for a database that cannot be reached.
const REACHED_WITHIN: Duration = Duration::from_secs(60);
/// Between two tries to reach it: at first, and at most.
const RETRY_AFTER: Duration = Duration::from_millis(250);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);
/// How long each part may take to close.
const BROKER_CLOSES_WITHIN: Duration = Duration::from_secs(10);
const OUTBOX_CLOSES_WITHIN: Duration = Duration::from_secs(3);
const STORE_CLOSES_WITHIN: Duration = Duration::from_secs(15);

pub(crate) struct Distributed {
    pub postgres: Arc<PostgresStore>,
    pub rabbit: Arc<RabbitBroker>,
    pub redis: Option<Arc<RedisCoordination>>,
    pub feed: Arc<dyn Feed>,
    pub nudges: Arc<dyn Nudges>,
    pub express: Option<Arc<dyn Express>>,
    outbox: Arc<Outbox>,
    _gauges: BrokerGauges,
}

impl Distributed {
    /// The database must answer; the others only help, and may come later.
    pub(crate) async fn open(servers: &Servers, opening: &Opening<'_>, metrics: &Arc<Metrics>) -> Result<Self, EngineError> {
        let tls_ca = servers.tls_ca.as_deref().map(certificates).transpose()?;
        // What is wrong with their addresses is said before anybody waits for the database.
        let redis = servers.redis.as_ref().map(|url| open_redis(url, tls_ca.as_deref())).transpose()?.map(Arc::new);
        let (feed, nudges): (Arc<dyn Feed>, Arc<dyn Nudges>) = match &redis {
            Some(redis) => (Arc::clone(redis) as _, Arc::clone(redis) as _),
            None => {
                let in_process = Arc::new(InProcess::default());
                (Arc::clone(&in_process) as _, in_process)
            }
        };
        let express = redis.clone().filter(|_| servers.express).map(|redis| redis as Arc<dyn Express>);
        let postgres = Arc::new(reach(&servers.database, opening).await?);
        let outbox = Outbox::start(Arc::clone(&postgres) as _, Arc::clone(&nudges), Arc::clone(metrics));
        let clock = Arc::clone(&postgres);
        let options = RabbitOptions {
            url: servers.broker.secret().expose().to_owned(),
            queue_type: servers.queue_type,
            clock: Arc::new(move || clock.now()),
            ledger: Arc::clone(&outbox) as _,
            watches: opening.watches,
            name: format!("flotilla {} {}", opening.name, std::process::id()),
            extra_ca: tls_ca.filter(|_| is_tls(&servers.broker)),
        };
        let rabbit = RabbitBroker::open(options).map_err(|why| EngineError::Broker { place: servers.broker.to_string(), why })?;
        let rabbit = Arc::new(rabbit);
        let gauges = BrokerGauges::start(Arc::clone(&rabbit), Arc::clone(metrics));
        Ok(Self { postgres, rabbit, redis, feed, nudges, express, outbox, _gauges: gauges })
    }

    pub(crate) fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(ApiPublisher::new(Arc::clone(&self.rabbit)))
    }

    /// Sends what waits, records what was confirmed, and closes what is left, each within a bound. `false`: one took too long.
    pub(crate) async fn close(self) -> bool {
        // Whoever holds a clone still may publish or write until here, and is refused from here on.
        let sent = closed("RabbitMQ", BROKER_CLOSES_WITHIN, self.rabbit.close()).await;
        let recorded = closed("the outbox", OUTBOX_CLOSES_WITHIN, self.outbox.close()).await;
        let written = closed("PostgreSQL", STORE_CLOSES_WITHIN, self.postgres.close()).await;
        sent && recorded && written
    }
}

async fn closed(what: &'static str, within: Duration, closing: impl Future<Output = ()>) -> bool {
    let in_time = timeout(within, closing).await.is_ok();
    if !in_time {
        tracing::warn!("{what} did not close in time; what it lacks is made up for by the next duties");
    }
    in_time
}

fn open_redis(url: &ServerUrl, tls_ca: Option<&str>) -> Result<RedisCoordination, EngineError> {
    let trust = tls_ca.filter(|_| is_tls(url)).map(|pem| pem.as_bytes().to_vec());
    let options = RedisOptions { trust, ..RedisOptions::new(url.secret().expose()) };
    RedisCoordination::open(options).map_err(|why| EngineError::Redis { place: url.to_string(), why })
}

/// Whether certificates matter: `amqps`, `rediss`.
pub(crate) fn is_tls(url: &ServerUrl) -> bool {
    url.secret().expose().split_once("://").is_some_and(|(scheme, _)| matches!(scheme, "amqps" | "rediss"))
}

/// PEM text from a file.
pub(crate) fn certificates(path: &Path) -> Result<String, EngineError> {
    std::fs::read_to_string(path).map_err(|why| EngineError::TlsCa { path: path.display().to_string(), why })
}

/// Opens the store. A server that is away is waited for within a bound; whatever else is wrong stays wrong, and ends it at once.
async fn reach(url: &ServerUrl, opening: &Opening<'_>) -> Result<PostgresStore, EngineError> {
    let (deadline, mut pause) = (Instant::now() + REACHED_WITHIN, RETRY_AFTER);
    loop {
        // One try ends by itself; a migration that takes its time is not cut short.
        let trying = opening.stop.run_until_cancelled(open_store(url, opening.migrates));
        let why = match trying.await.ok_or(EngineError::Interrupted)? {
            Ok(store) => return Ok(store),
            Err(why) => why,
        };
        let next = Instant::now() + pause;
        if !why.is_of_the_moment() || next >= deadline {
            return Err(EngineError::Database { place: url.to_string(), why });
        }
        let left = (deadline - Instant::now()).as_secs();
        tracing::warn!(error = chain(&why), "{url} cannot be used yet; trying again for another {left} s");
        opening.stop.run_until_cancelled(sleep_until(next)).await.ok_or(EngineError::Interrupted)?;
        pause = (pause * 2).min(RETRY_AFTER_MAX);
    }
}

async fn open_store(url: &ServerUrl, migrates: bool) -> Result<PostgresStore, store_postgres::OpenError> {
    let options = PostgresOptions::new(url.secret().clone());
    if migrates {
        let migrated = store_postgres::migrate(&options).await?;
        if migrated.from != migrated.to {
            tracing::info!("the database's schema was brought from version {} to {}", migrated.from, migrated.to);
        }
    }
    PostgresStore::open(options).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_matter_where_tls_is_asked_for() {
        let tls = |text: &str| is_tls(&ServerUrl::parse(text).expect(text));
        assert!(tls("amqps://mq") && tls("rediss://redis"));
        assert!(!tls("amqp://mq") && !tls("redis://redis") && !tls("postgres://db/x"));
    }
}
