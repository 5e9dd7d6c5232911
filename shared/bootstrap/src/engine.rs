//! Opens an engine: store, broker, coordination, vault. Here it is decided which adapters are in use.

use std::sync::Arc;

use broker::{Broker, Publisher};
use coordination::{Express, Feed, Nudges};
use domain::{TenantId, Timestamp};
use runtime::Registry;
use store::{Access as _, Ledger, Mint, Store, StoreError, Upkeep as _};
use telemetry::Metrics;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vault::Vault;

use crate::distributed::Distributed;
use crate::embedded::Embedded;
use crate::secret::{given_secret, kept_secret};
use crate::vitals::Vitals;
use crate::{Backends, Clock, DataDirError, EngineSettings};

pub(crate) const DATABASE_FILE: &str = "flotilla.db";
/// The tenant of the first key.
pub const DEFAULT_TENANT: &str = "default";

/// The engine cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The sentence, its causes and the hint, in this order; therefore no `source`, which would come after the hint.
    #[error("{}\n  hint: {}", telemetry::chain(.0), .0.hint())]
    File(store_sqlite::OpenError),
    #[error("{} ({place})\n  hint: {}", telemetry::chain(why), why.hint())]
    Database { place: String, why: store_postgres::OpenError },
    #[error("{why} ({place})\n  hint: see FLOTILLA_BROKER_URL in docs/configuration.md")]
    Broker { place: String, why: broker_rabbitmq::AddressError },
    #[error("{why} ({place})\n  hint: {}", why.hint())]
    Redis { place: String, why: coordination_redis::OpenError },
    #[error("the certificates to trust cannot be read from `{path}`: {why}\n  hint: correct FLOTILLA_TLS_CA, or leave it unset")]
    TlsCa { path: String, why: std::io::Error },
    #[error("asked to stop before the database could be reached")]
    Interrupted,
    #[error("this works with PostgreSQL only")]
    NotPostgres,
    #[error("the secret key in {place} cannot be used: {why}")]
    Secret { place: String, why: vault::VaultError },
    #[error(
        "the secret key {place} is missing, but the database holds what was sealed with it\n  hint: restore that file or set FLOTILLA_SECRET_KEY; to start anew, move the database away"
    )]
    SecretMissing { place: String },
    #[error("the metrics cannot be set up")]
    Metrics(#[from] prometheus::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EngineError {
    /// A server did not answer: trying again later may help.
    pub fn is_of_the_moment(&self) -> bool {
        matches!(self, Self::Database { why, .. } if why.is_of_the_moment())
    }
}

/// Who opens an engine, and how.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// As operators see it at the servers.
    pub name: &'a str,
    /// Compares the broker's queues with the ledger; for processes that run the scheduler's duties.
    pub watches: bool,
    /// Brings the schema up to date first, instead of refusing one it does not know.
    pub migrates: bool,
    /// Ends the waiting for servers.
    pub stop: &'a CancellationToken,
}

/// Everything the roles of a process share.
pub struct Engine {
    pub store: Arc<dyn Store>,
    /// Only where the broker is a process of its own.
    pub ledger: Option<Arc<dyn Ledger>>,
    pub broker: Arc<dyn Broker>,
    pub feed: Arc<dyn Feed>,
    pub nudges: Arc<dyn Nudges>,
    pub clock: Clock,
    pub mint: Arc<Mint>,
    pub metrics: Arc<Metrics>,
    pub vault: Arc<Vault>,
    adapters: Adapters,
}

enum Adapters {
    Embedded(Embedded),
    Distributed(Box<Distributed>),
}

impl Engine {
    /// Opens the engine. With SQLite, it takes the data directory for this process alone and declares every worker of before
    /// dead, because none can be alive. With PostgreSQL, it waits for the database within a bound; RabbitMQ and Redis may be away.
    pub async fn open(settings: &EngineSettings, opening: &Opening<'_>) -> Result<Self, EngineError> {
        // Before any TLS client is made, so that one provider serves all. An error means that it is installed already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let metrics = Arc::new(Metrics::new()?);
        let engine = match &settings.backends {
            Backends::Embedded { database } => {
                let embedded = Embedded::open(settings, database.as_deref()).await?;
                // After the database is ours: two first starts at once must not make two secrets.
                let is_used = !embedded.sqlite.keys(&TenantId::of(DEFAULT_TENANT)).await?.is_empty();
                let vault = Arc::new(Vault::new(kept_secret(settings, &embedded.data_dir, is_used)?));
                embedded.sqlite.bury_predecessors().await?;
                Self {
                    store: Arc::clone(&embedded.sqlite) as _,
                    ledger: None,
                    broker: Arc::clone(&embedded.broker) as _,
                    feed: Arc::clone(&embedded.in_process) as _,
                    nudges: Arc::clone(&embedded.in_process) as _,
                    clock: clock_of(Arc::clone(&embedded.sqlite)),
                    mint: Arc::new(Mint::default()),
                    metrics,
                    vault,
                    adapters: Adapters::Embedded(embedded),
                }
            }
            Backends::Distributed(servers) => {
                let vault = Arc::new(Vault::new(given_secret(settings)?));
                let distributed = Distributed::open(servers, opening, &metrics).await?;
                Self {
                    store: Arc::clone(&distributed.postgres) as _,
                    ledger: Some(Arc::clone(&distributed.postgres) as _),
                    broker: Arc::clone(&distributed.rabbit) as _,
                    feed: Arc::clone(&distributed.feed),
                    nudges: Arc::clone(&distributed.nudges),
                    clock: clock_of(Arc::clone(&distributed.postgres)),
                    mint: Arc::new(Mint::default()),
                    metrics,
                    vault,
                    adapters: Adapters::Distributed(Box::new(distributed)),
                }
            }
        };
        engine.metrics.started_at_micros(engine.store.now().micros());
        Ok(engine)
    }

    /// What a worker of this process works with.
    pub fn worker_parts(&self, registry: Registry, handlers: Handle) -> runtime::Parts {
        runtime::Parts {
            work: Arc::clone(&self.store) as _,
            broker: Arc::clone(&self.broker),
            feed: Arc::clone(&self.feed),
            nudges: Arc::clone(&self.nudges),
            express: self.express(),
            clock: Arc::clone(&self.clock),
            mint: Arc::clone(&self.mint),
            metrics: Arc::clone(&self.metrics),
            registry,
            handlers,
        }
    }

    /// The broker as the API uses it: readiness learns from it whether the broker can be reached.
    pub fn publisher(&self) -> Arc<dyn Publisher> {
        match &self.adapters {
            Adapters::Embedded(embedded) => Arc::clone(&embedded.broker) as _,
            Adapters::Distributed(distributed) => distributed.publisher(),
        }
    }

    /// The express lane, where processes share a Redis and are to use it. In one process the broker is as near.
    pub fn express(&self) -> Option<Arc<dyn Express>> {
        match &self.adapters {
            Adapters::Embedded(_) => None,
            Adapters::Distributed(distributed) => distributed.express.clone(),
        }
    }

    /// What tells how the engine is.
    pub fn vitals(&self) -> Vitals {
        match &self.adapters {
            Adapters::Embedded(_) => Vitals { store: Arc::clone(&self.store), rabbit: None, redis: None },
            Adapters::Distributed(distributed) => {
                Vitals { store: Arc::clone(&self.store), rabbit: Some(Arc::clone(&distributed.rabbit)), redis: distributed.redis.clone() }
            }
        }
    }

    /// Whether this process is the only one that can work with the store.
    pub fn is_alone(&self) -> bool {
        matches!(self.adapters, Adapters::Embedded(_))
    }

    /// Tells whoever finds the database taken what we are.
    pub fn announce(&self, note: &str) {
        if let Adapters::Embedded(embedded) = &self.adapters
            && let Err(error) = embedded.sqlite.set_lock_note(note)
        {
            tracing::warn!(%error, "the lock file could not be written; the lock itself holds");
        }
    }

    /// Finishes what was begun, and gives the database free. `false`: not everything ended within its bound.
    pub async fn close(self) -> bool {
        match self.adapters {
            Adapters::Embedded(embedded) => {
                embedded.sqlite.close().await;
                true
            }
            Adapters::Distributed(distributed) => distributed.close().await,
        }
    }
}

fn clock_of(store: Arc<impl Store + 'static>) -> Clock {
    Arc::new(move || -> Timestamp { store.now() })
}
