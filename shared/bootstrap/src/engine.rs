//! Opens an engine: store, broker, coordination, vault. The one place that knows which adapters are in use.

use std::sync::Arc;

use broker::{Broker, EmbeddedBroker};
use coordination::{Feed, InProcess, Nudges};
use domain::{TenantId, Timestamp};
use store::{Mint, Store, StoreError};
use store_sqlite::{CallbackKind, OpenError, SqliteOptions, SqliteStore};
use telemetry::Metrics;
use vault::{ServerSecret, Vault};

use crate::{Clock, DataDir, DataDirError, EngineSettings};

const SECRET_FILE: &str = "secret.key";
const DATABASE_FILE: &str = "flotilla.db";
/// The tenant of the first key.
const DEFAULT_TENANT: &str = "default";

/// The engine cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The sentence, its causes and the hint, in this order; therefore no `source`, which would come after the hint.
    #[error("{}\n  hint: {}", telemetry::chain(.0), .0.hint())]
    Database(OpenError),
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

/// Everything the roles of a process share.
pub struct Engine {
    pub store: Arc<dyn Store>,
    pub broker: Arc<dyn Broker>,
    pub feed: Arc<dyn Feed>,
    pub nudges: Arc<dyn Nudges>,
    pub clock: Clock,
    pub mint: Arc<Mint>,
    pub metrics: Arc<Metrics>,
    pub vault: Arc<Vault>,
    pub data_dir: DataDir,
    sqlite: Arc<SqliteStore>,
}

impl Engine {
    /// Opens the embedded engine: takes the data directory for this process alone, brings the database up to date, and
    /// declares every worker of before dead, because none can be alive.
    pub async fn open(settings: &EngineSettings) -> Result<Self, EngineError> {
        // Before any TLS client is made, so that one provider serves all. An error means that it is installed already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let data_dir = DataDir::open(&settings.data_dir)?;
        let path = settings.database.clone().unwrap_or_else(|| data_dir.file(DATABASE_FILE));
        let sqlite = SqliteStore::open(SqliteOptions { callback: Some(CallbackKind::default()), ..SqliteOptions::new(path) })
            .await
            .map_err(EngineError::Database)?;
        let sqlite = Arc::new(sqlite);
        // After the database is ours: two first starts at once must not make two secrets.
        let store: Arc<dyn Store> = Arc::clone(&sqlite) as _;
        let is_used = !store.keys(&TenantId::of(DEFAULT_TENANT)).await?.is_empty();
        let vault = Arc::new(Vault::new(server_secret(settings, &data_dir, is_used)?));
        store.bury_predecessors().await?;
        let in_process = Arc::new(InProcess::default());
        let clock: Clock = Arc::new({
            let store = Arc::clone(&store);
            move || -> Timestamp { store.now() }
        });
        let metrics = Arc::new(Metrics::new()?);
        metrics.started_at_micros(store.now().micros());
        let broker: Arc<dyn Broker> = Arc::new(EmbeddedBroker::default());
        let (feed, nudges): (Arc<dyn Feed>, Arc<dyn Nudges>) = (Arc::clone(&in_process) as _, in_process);
        Ok(Self { store, broker, feed, nudges, clock, mint: Arc::new(Mint::default()), metrics, vault, data_dir, sqlite })
    }

    /// Tells whoever finds the database taken what we are.
    pub fn announce(&self, note: &str) {
        if let Err(error) = self.sqlite.set_lock_note(note) {
            tracing::warn!(%error, "the lock file could not be written; the lock itself holds");
        }
    }

    /// Finishes what was begun and gives the database free.
    pub async fn close(self) {
        self.sqlite.close().await;
    }
}

/// The given secret, or the one in the data directory, made at the first start. `is_used`: the database holds keys, so this
/// is not the first.
fn server_secret(settings: &EngineSettings, data_dir: &DataDir, is_used: bool) -> Result<ServerSecret, EngineError> {
    if let Some(given) = &settings.secret_key {
        let place = "`FLOTILLA_SECRET_KEY`".to_owned();
        return given.expose().parse().map_err(|why| EngineError::Secret { place, why });
    }
    let place = || format!("`{}`", data_dir.file(SECRET_FILE).display());
    let error = |why| EngineError::Secret { place: place(), why };
    match data_dir.read(SECRET_FILE)? {
        Some(text) => {
            if !is_used {
                tracing::warn!(
                    "there is a secret key, but the database is new: if you expected jobs in it, stop and look for the right file"
                );
            }
            text.trim().parse().map_err(error)
        }
        None if is_used => Err(EngineError::SecretMissing { place: place() }),
        None => {
            let secret = ServerSecret::generate().map_err(error)?;
            data_dir.write_private(SECRET_FILE, &secret.to_hex())?;
            Ok(secret)
        }
    }
}
