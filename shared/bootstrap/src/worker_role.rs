//! A worker as a process of its own: whichever kinds it runs, it starts, answers on its admin port and drains like any other.

use std::net::SocketAddr;

use broker::Subscription;
use domain::QueueName;
use domain::bounds::WORKER_SLOTS_MAX;
use runtime::{Drained, Registry, Worker, WorkerConfig};
use settings::{Reader, vars};

use crate::admin::{AdminParts, AdminPort};
use crate::{Ended, Engine, EngineSettings, HandlerThreads, Opening, QueueKeeper, Role, Seats, Start, admin_listen};

/// What every worker reads.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    pub engine: EngineSettings,
    pub slots: u32,
    pub queues: Vec<QueueName>,
    pub admin: SocketAddr,
}

impl WorkerSettings {
    /// `admin_port`: the role's own, unless a setting says otherwise.
    pub fn read(reader: &mut Reader<'_>, admin_port: u16) -> Self {
        Self {
            engine: EngineSettings::read(reader, Seats::OneRole),
            slots: read_slots(reader),
            queues: reader.list(&vars::QUEUES),
            admin: admin_listen(reader, admin_port),
        }
    }
}

/// How many jobs a worker runs at the same time.
pub fn read_slots(reader: &mut Reader<'_>) -> u32 {
    let slots: u32 = reader.get(&vars::WORKER_SLOTS);
    if !(1..=WORKER_SLOTS_MAX).contains(&slots) {
        reader.problem(&vars::WORKER_SLOTS, format!("`{slots}` is not between 1 and {WORKER_SLOTS_MAX}"));
    }
    slots
}

/// The name of this machine.
pub fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}

/// Runs a worker until it is asked to stop, then drains it. `register` adds its kinds.
pub async fn run_worker(
    role: &Role,
    start: Start,
    settings: WorkerSettings,
    register: impl FnOnce(&Engine, &mut Registry) -> anyhow::Result<()>,
) -> anyhow::Result<Ended> {
    let opening = Opening { name: role.name, watches: false, migrates: false, stop: &start.stop };
    let engine = Engine::open(&settings.engine, &opening).await?;
    let mut registry = Registry::default();
    register(&engine, &mut registry)?;
    let queues = queues(&registry, &settings.queues);
    let handlers = HandlerThreads::start()?;
    let config = WorkerConfig {
        name: role.name.to_owned(),
        host: host(),
        slots: settings.slots,
        subscription: Subscription::Queues(queues.clone()),
        ..WorkerConfig::default()
    };
    let worker = Worker::new(engine.worker_parts(registry, handlers.handle()), config);
    let parts = AdminParts {
        vitals: engine.vitals(),
        metrics: engine.metrics.clone(),
        stopping: start.stop.clone(),
        registered: Some(worker.registered()),
    };
    let admin = AdminPort::start(settings.admin, parts).await?;
    let (address, servers) = (admin.address(), settings.engine.servers());
    let shown = queues.iter().map(QueueName::as_str).collect::<Vec<_>>().join(", ");
    tracing::info!(servers, queues = shown, slots = settings.slots, %address, "{} {} starts", role.name, crate::role::VERSION);
    let keeper = tokio::spawn(QueueKeeper::new(&engine, settings.queues).keep(start.stop.clone()));
    let drained = worker.run(start.stop.clone()).await;
    // It may have been drained through the store: whatever else runs in here has nothing left to do.
    start.stop.cancel();
    say(drained);
    let kept = keeper.await.is_ok();
    admin.close().await;
    let closed = engine.close().await;
    drop(handlers);
    Ok(Ended::of(drained.clean && kept && closed))
}

/// Those of its kinds, and those it was told of.
fn queues(registry: &Registry, more: &[QueueName]) -> Vec<QueueName> {
    let all: std::collections::BTreeSet<QueueName> =
        registry.infos().into_iter().map(|kind| kind.queue).chain(more.iter().cloned()).collect();
    all.into_iter().collect()
}

fn say(drained: Drained) {
    let Drained { finished, handed_back, clean } = drained;
    let end = if clean { "everything is recorded" } else { "not everything could be recorded; the rescuer finds the rest" };
    tracing::info!("drained: {finished} finished, {handed_back} handed back; {end}");
}
