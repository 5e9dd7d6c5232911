//! How each role is started inside of one process.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bootstrap::{ApiSettings, Engine, EngineSettings, Server};
use broker::Subscription;
use runtime::{Drained, Registry, Worker, WorkerConfig};
use scheduler::{Board, Predecessors};
use store::Retention;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long the worker may take to register.
const REGISTRATION: Duration = Duration::from_secs(15);

/// A role that runs.
pub struct Task<T> {
    pub stop: CancellationToken,
    pub handle: JoinHandle<T>,
}

impl<T: Send + 'static> Task<T> {
    /// Runs a role; `ended` is cancelled when it ends, by itself or by a panic.
    pub fn start(ended: &CancellationToken, stop: CancellationToken, role: impl Future<Output = T> + Send + 'static) -> Self {
        let guard = ended.clone().drop_guard();
        let role = async move {
            let _guard = guard;
            role.await
        };
        Self { stop, handle: tokio::spawn(role) }
    }
}

pub fn start_scheduler(engine: &Engine, board: &Arc<Board>, retention: Retention, ended: &CancellationToken) -> Task<()> {
    let parts = scheduler::Parts {
        upkeep: Arc::clone(&engine.store) as _,
        steering: Arc::clone(&engine.store) as _,
        ledger: engine.ledger.clone(),
        broker: Arc::clone(&engine.broker),
        nudges: Arc::clone(&engine.nudges),
        clock: Arc::clone(&engine.clock),
        metrics: Arc::clone(&engine.metrics),
        retention,
    };
    let predecessors = if engine.is_alone() { Predecessors::Buried } else { Predecessors::MayLive };
    let stop = CancellationToken::new();
    Task::start(ended, stop.clone(), scheduler::run(parts, predecessors, Arc::clone(board), stop))
}

/// Returns when the worker has registered, so that no submission meets an API which does not know its kind yet.
pub async fn start_worker(
    engine: &Engine,
    (registry, slots): (Registry, u32),
    handlers: Handle,
    ended: &CancellationToken,
) -> anyhow::Result<Task<Drained>> {
    let config = WorkerConfig {
        name: "flotilla".to_owned(),
        host: bootstrap::host(),
        slots,
        subscription: Subscription::All,
        ..WorkerConfig::default()
    };
    let worker = Worker::new(engine.worker_parts(registry, handlers), config);
    let registered = worker.registered();
    let stop = CancellationToken::new();
    let task = Task::start(ended, stop.clone(), worker.run(stop));
    let waited = tokio::time::timeout(REGISTRATION, registered.cancelled()).await;
    waited.context("the worker could not register with the store\n  hint: see the log lines above; a full disk is the usual reason")?;
    Ok(task)
}

pub fn start_api(
    engine: &Engine,
    listener: TcpListener,
    (settings, api): (&EngineSettings, &ApiSettings),
    ended: &CancellationToken,
) -> Task<()> {
    let stop = CancellationToken::new();
    let parts = producer::Parts {
        intake: Arc::clone(&engine.store) as _,
        steering: Arc::clone(&engine.store) as _,
        reports: Arc::clone(&engine.store) as _,
        overview: Arc::clone(&engine.store) as _,
        access: Arc::clone(&engine.store) as _,
        publisher: engine.publisher(),
        nudges: Arc::clone(&engine.nudges),
        express: engine.express(),
        feed: Arc::clone(&engine.feed),
        clock: Arc::clone(&engine.clock),
        vault: Arc::clone(&engine.vault),
        metrics: Arc::clone(&engine.metrics),
        mint: Arc::clone(&engine.mint),
        retention_shortest: settings.retention.shortest(),
        edge: producer::Edge { requests_max: api.requests_max, rate_limit: api.rate_limit, origins: api.origins.clone() },
        stopping: stop.clone(),
    };
    let server = Server { listener, router: producer::router(parts), limits: api.server, metrics: Arc::clone(&engine.metrics) };
    Task::start(ended, stop.clone(), server.serve(stop))
}
