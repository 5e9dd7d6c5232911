//! Every role in one process: API, scheduler, one worker; on SQLite and what is in this process, or on real servers.

mod local_key;
mod roles;
mod settings;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::settings::{Reader, Source};
use bootstrap::{DataDir, Engine, HandlerThreads, LogSettings, Opening, QueueKeeper};
use runtime::{Drained, Registry};
use scheduler::Board;
use tokio_util::sync::CancellationToken;
use webhooks_worker::guard::GuardPolicy;

use self::local_key::local_credentials;
use self::roles::{Task, start_api, start_scheduler, start_worker};
use self::settings::FleetSettings;
use crate::{Client, Credentials};

/// How long the API may take to end its last requests: a little more than its own deadline.
const API_FAREWELL: Duration = Duration::from_secs(12);

/// What a one-process fleet is made of besides its settings.
#[derive(Default)]
pub struct FleetOptions {
    pub source: Source,
    /// Kinds of yours; `webhooks.deliver` is always there.
    pub registry: Registry,
}

/// A fleet that runs.
pub struct Fleet {
    engine: Engine,
    servers: String,
    credentials: Credentials,
    credentials_file: PathBuf,
    board: Arc<Board>,
    api: Task<()>,
    worker: Task<Drained>,
    scheduler: Task<()>,
    queues: Task<()>,
    ended: CancellationToken,
    handlers: HandlerThreads,
}

/// What was done on the way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Down {
    pub worker: Drained,
    /// Everything begun was finished and the database is closed.
    pub clean: bool,
}

/// Sets up logs for the process, once: readable on a terminal, JSON otherwise, and what handlers log is kept with their jobs. A
/// program that sets up `tracing` itself adds [`runtime::capture_layer`] to its own layers instead.
pub fn start_logs(source: &Source) -> anyhow::Result<()> {
    let mut reader = Reader::new(source);
    let logs = LogSettings::read(&mut reader);
    Ok(bootstrap::start_logs(&reader.finish(logs)?)?)
}

impl Fleet {
    /// Starts everything; returns when the API answers.
    pub async fn start(options: FleetOptions) -> anyhow::Result<Self> {
        Self::start_unless(options, &CancellationToken::new()).await
    }

    /// The same; `stop` ends the waiting for servers that cannot be reached.
    pub async fn start_unless(options: FleetOptions, stop: &CancellationToken) -> anyhow::Result<Self> {
        let settings = FleetSettings::read(&options.source)?;
        let listener = bootstrap::listen(settings.api.listen, "--listen").await?;
        let engine = Engine::open(&settings.engine, &Opening { name: "up", watches: true, migrates: true, stop }).await?;
        let url = format!("http://{}", listener.local_addr()?);
        engine.announce(&url);
        let data_dir = DataDir::open(&settings.engine.data_dir)?;
        let (credentials, credentials_file) = local_credentials(&engine, &data_dir, url).await?;
        let registry = registry(&engine, options.registry, settings.guard)?;
        let (board, ended, handlers) = (Arc::new(Board::default()), CancellationToken::new(), HandlerThreads::start()?);
        let scheduler = start_scheduler(&engine, &board, settings.engine.retention, &ended);
        let worker = start_worker(&engine, (registry, settings.slots), handlers.handle(), &ended).await?;
        // After the worker registered: its kinds have brought their queues.
        let mut keeper = QueueKeeper::new(&engine, settings.queues);
        keeper.pass().await?;
        let keeping = CancellationToken::new();
        let queues = Task::start(&ended, keeping.clone(), keeper.keep(keeping));
        let api = start_api(&engine, listener, (&settings.engine, &settings.api), &ended);
        let servers = settings.engine.servers();
        Ok(Self { engine, servers, credentials, credentials_file, board, api, worker, scheduler, queues, ended, handlers })
    }

    /// A client with the key of the command line.
    pub fn client(&self) -> Result<Client, crate::ClientError> {
        self.credentials.client()
    }

    pub fn url(&self) -> &str {
        &self.credentials.url
    }

    /// What it works with, without logins.
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// Where the command line finds its key.
    pub fn credentials_file(&self) -> &Path {
        &self.credentials_file
    }

    /// Completes when a role has ended although nobody asked it to: a bug. The process should stop, so that whoever supervises
    /// it starts it anew; nothing is lost by that.
    pub async fn a_role_ended(&self) {
        self.ended.cancelled().await;
    }

    /// The last report of each duty.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Takes no more requests, drains the worker, closes the database.
    pub async fn shutdown(self) -> Down {
        let Self { engine, api, worker, scheduler, queues, handlers, .. } = self;
        api.stop.cancel();
        worker.stop.cancel();
        queues.stop.cancel();
        let drained = worker.handle.await;
        scheduler.stop.cancel();
        let api_ended = tokio::time::timeout(API_FAREWELL, api.handle).await.is_ok();
        let scheduler_ended = scheduler.handle.await.is_ok() && queues.handle.await.is_ok();
        let closed = engine.close().await;
        drop(handlers);
        let worker = drained.unwrap_or_default();
        Down { worker, clean: worker.clean && api_ended && scheduler_ended && closed }
    }
}

fn registry(engine: &Engine, mut registry: Registry, guard: GuardPolicy) -> anyhow::Result<Registry> {
    let parts = webhooks_worker::Parts { policy: guard, access: Arc::clone(&engine.store) as _, vault: Arc::clone(&engine.vault) };
    webhooks_worker::register(&mut registry, parts)?;
    Ok(registry)
}
