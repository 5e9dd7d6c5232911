//! The embedded engine's adapters: one SQLite file, and what is in this process.

use std::path::Path;
use std::sync::Arc;

use broker::EmbeddedBroker;
use coordination::InProcess;
use store_sqlite::{CallbackKind, SqliteOptions, SqliteStore};

use crate::engine::DATABASE_FILE;
use crate::{DataDir, EngineError, EngineSettings};

pub(crate) struct Embedded {
    pub data_dir: DataDir,
    pub sqlite: Arc<SqliteStore>,
    pub broker: Arc<EmbeddedBroker>,
    pub in_process: Arc<InProcess>,
}

impl Embedded {
    /// Takes the data directory for this process alone and brings the database up to date.
    pub(crate) async fn open(settings: &EngineSettings, database: Option<&Path>) -> Result<Self, EngineError> {
        let data_dir = DataDir::open(&settings.data_dir)?;
        let path = database.map_or_else(|| data_dir.file(DATABASE_FILE), Path::to_owned);
        let options = SqliteOptions { callback: Some(CallbackKind::default()), ..SqliteOptions::new(path) };
        let sqlite = Arc::new(SqliteStore::open(options).await.map_err(EngineError::File)?);
        Ok(Self { data_dir, sqlite, broker: Arc::default(), in_process: Arc::default() })
    }
}
