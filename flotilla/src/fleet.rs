//! Every role in one process: API, scheduler, one worker, on the embedded engine.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bootstrap::{Engine, EngineSettings, LogSettings};
use broker::Subscription;
use domain::bounds::WORKER_SLOTS_MAX;
use domain::{QueueName, TenantId};
use runtime::{Drained, Registry, Worker, WorkerConfig};
use scheduler::{Board, Predecessors};
use settings::{ListenAddress, Reader, Source, vars};
use store::{Actor, NewApiKey, Retention, Scopes};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use webhooks_worker::WebhooksSettings;
use webhooks_worker::guard::GuardPolicy;

use crate::handlers::HandlerThreads;
use crate::{Client, Credentials};

/// How long the API may take to end its last requests.
const API_FAREWELL: Duration = Duration::from_secs(10);
/// The tenant that keys belong to unless one is named.
const DEFAULT_TENANT: &str = "default";
/// The key of the command line.
const LOCAL_KEY: &str = "local";

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
    credentials: Credentials,
    credentials_file: std::path::PathBuf,
    board: Arc<Board>,
    api: Task<()>,
    worker: Task<Drained>,
    scheduler: Task<()>,
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

struct Task<T> {
    stop: CancellationToken,
    handle: JoinHandle<T>,
}

impl<T: Send + 'static> Task<T> {
    /// Runs a role; `ended` is cancelled when it ends, by itself or by a panic.
    fn start(ended: &CancellationToken, stop: CancellationToken, role: impl Future<Output = T> + Send + 'static) -> Self {
        let guard = ended.clone().drop_guard();
        let role = async move {
            let _guard = guard;
            role.await
        };
        Self { stop, handle: tokio::spawn(role) }
    }
}

struct FleetSettings {
    engine: EngineSettings,
    guard: GuardPolicy,
    listen: SocketAddr,
    slots: u32,
    queues: Vec<QueueName>,
}

impl FleetSettings {
    fn read(source: &Source) -> Result<Self, settings::SettingsError> {
        let mut reader = Reader::new(source);
        let read = Self {
            engine: EngineSettings::read(&mut reader),
            guard: WebhooksSettings::read(&mut reader),
            listen: reader.get::<ListenAddress>(&vars::LISTEN).0,
            slots: reader.get(&vars::WORKER_SLOTS),
            queues: reader.list(&vars::QUEUES),
        };
        if !(1..=WORKER_SLOTS_MAX).contains(&read.slots) {
            reader.problem(&vars::WORKER_SLOTS, format!("`{}` is not between 1 and {WORKER_SLOTS_MAX}", read.slots));
        }
        reader.finish(read)
    }
}

/// How long the worker may take to register.
const REGISTRATION: Duration = Duration::from_secs(15);

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
        let settings = FleetSettings::read(&options.source)?;
        let listener = listen(settings.listen).await?;
        let engine = Engine::open(&settings.engine).await?;
        let url = format!("http://{}", listener.local_addr()?);
        engine.announce(&url);
        let (credentials, credentials_file) = local_credentials(&engine, url).await?;
        let registry = registry(&engine, options.registry, settings.guard)?;
        let (board, ended, handlers) = (Arc::new(Board::default()), CancellationToken::new(), HandlerThreads::start()?);
        let scheduler = start_scheduler(&engine, &board, settings.engine.retention, &ended);
        let worker = start_worker(&engine, (registry, settings.slots), handlers.handle(), &ended).await?;
        // After the worker registered: its kinds have brought their queues.
        declare_queues(&engine, &settings.queues).await?;
        let api = start_api(&engine, listener, &settings.engine, &ended);
        Ok(Self { engine, credentials, credentials_file, board, api, worker, scheduler, ended, handlers })
    }

    /// A client with the key of the command line.
    pub fn client(&self) -> Result<Client, crate::ClientError> {
        Client::new(self.credentials.clone())
    }

    pub fn url(&self) -> &str {
        &self.credentials.url
    }

    /// Where the command line finds its key.
    pub fn credentials_file(&self) -> &std::path::Path {
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
        let Self { engine, api, worker, scheduler, handlers, .. } = self;
        api.stop.cancel();
        worker.stop.cancel();
        let drained = worker.handle.await;
        scheduler.stop.cancel();
        let api_ended = tokio::time::timeout(API_FAREWELL, api.handle).await.is_ok();
        let scheduler_ended = scheduler.handle.await.is_ok();
        engine.close().await;
        drop(handlers);
        let worker = drained.unwrap_or_default();
        Down { worker, clean: worker.clean && api_ended && scheduler_ended }
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let hint = "hint: if another process listens there, stop it or choose another address with --listen (port 0 takes any free one)";
    TcpListener::bind(address).await.map_err(|error| anyhow::anyhow!("could not listen on {address}: {error}\n  {hint}"))
}

/// The key the command line used before, if it still works; otherwise a new one.
async fn local_credentials(engine: &Engine, url: String) -> anyhow::Result<(Credentials, std::path::PathBuf)> {
    let kept = Credentials::read(&engine.data_dir).ok().flatten();
    let key = match kept {
        Some(kept) if still_works(engine, &kept.key).await? => kept.key,
        _ => new_local_key(engine).await?,
    };
    let credentials = Credentials { url, key };
    let file = credentials.write(&engine.data_dir)?;
    Ok((credentials, file))
}

async fn still_works(engine: &Engine, key: &str) -> anyhow::Result<bool> {
    let Ok(presented) = key.parse::<vault::PresentedKey>() else { return Ok(false) };
    let known = engine.store.key(presented.id).await?;
    Ok(known.is_some_and(|known| known.revoked_at.is_none() && engine.vault.matches(&presented, &known.hash)))
}

async fn new_local_key(engine: &Engine) -> anyhow::Result<String> {
    let id = engine.mint.key((engine.clock)());
    let (text, hash) = engine.vault.mint_api_key(id)?;
    let tenant = TenantId::of(DEFAULT_TENANT);
    let by = Actor { tenant: tenant.clone(), name: "up".to_owned(), request_id: "start".to_owned() };
    engine.store.key_create(&by, &NewApiKey { id, tenant, name: LOCAL_KEY.to_owned(), scopes: Scopes::ADMIN, hash }).await?;
    Ok(text)
}

async fn declare_queues(engine: &Engine, more: &[QueueName]) -> anyhow::Result<()> {
    engine.store.declare_queues(more).await?;
    let queues = engine.store.queues().await?;
    Ok(engine.broker.declare(&queues).await?)
}

fn registry(engine: &Engine, mut registry: Registry, guard: GuardPolicy) -> anyhow::Result<Registry> {
    let parts = webhooks_worker::Parts { policy: guard, access: Arc::clone(&engine.store) as _, vault: Arc::clone(&engine.vault) };
    webhooks_worker::register(&mut registry, parts)?;
    Ok(registry)
}

fn start_scheduler(engine: &Engine, board: &Arc<Board>, retention: Retention, ended: &CancellationToken) -> Task<()> {
    let parts = scheduler::Parts {
        upkeep: Arc::clone(&engine.store) as _,
        publisher: Arc::clone(&engine.broker) as _,
        nudges: Arc::clone(&engine.nudges),
        clock: Arc::clone(&engine.clock),
        metrics: Arc::clone(&engine.metrics),
        retention,
    };
    let stop = CancellationToken::new();
    Task::start(ended, stop.clone(), scheduler::run(parts, Predecessors::Buried, Arc::clone(board), stop))
}

/// Returns when the worker has registered, so that no submission meets an API which does not know its kind yet.
async fn start_worker(
    engine: &Engine,
    (registry, slots): (Registry, u32),
    handlers: Handle,
    ended: &CancellationToken,
) -> anyhow::Result<Task<Drained>> {
    let parts = runtime::Parts {
        work: Arc::clone(&engine.store) as _,
        broker: Arc::clone(&engine.broker),
        feed: Arc::clone(&engine.feed),
        nudges: Arc::clone(&engine.nudges),
        clock: Arc::clone(&engine.clock),
        mint: Arc::clone(&engine.mint),
        metrics: Arc::clone(&engine.metrics),
        registry,
        handlers,
    };
    let config =
        WorkerConfig { name: "flotilla".to_owned(), host: host(), slots, subscription: Subscription::All, ..WorkerConfig::default() };
    let worker = Worker::new(parts, config);
    let registered = worker.registered();
    let stop = CancellationToken::new();
    let task = Task::start(ended, stop.clone(), worker.run(stop));
    let waited = tokio::time::timeout(REGISTRATION, registered.cancelled()).await;
    waited.context("the worker could not register with the store\n  hint: see the log lines above; a full disk is the usual reason")?;
    Ok(task)
}

fn start_api(engine: &Engine, listener: TcpListener, settings: &EngineSettings, ended: &CancellationToken) -> Task<()> {
    let stop = CancellationToken::new();
    let parts = producer::Parts {
        intake: Arc::clone(&engine.store) as _,
        reports: Arc::clone(&engine.store) as _,
        access: Arc::clone(&engine.store) as _,
        publisher: Arc::clone(&engine.broker) as _,
        nudges: Arc::clone(&engine.nudges),
        feed: Arc::clone(&engine.feed),
        clock: Arc::clone(&engine.clock),
        vault: Arc::clone(&engine.vault),
        metrics: Arc::clone(&engine.metrics),
        mint: Arc::clone(&engine.mint),
        retention_shortest: settings.retention.shortest(),
        stopping: stop.clone(),
    };
    let serving = stop.clone();
    Task::start(ended, stop, async move {
        if let Err(error) = producer::serve(listener, producer::router(parts), serving).await {
            tracing::error!(%error, "the API ended");
        }
    })
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}
