//! The fleet's housekeeping as a process of its own; any number of them may run, without a leader.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use bootstrap::{AdminParts, AdminPort, Ended, Engine, EngineSettings, Opening, QueueKeeper, Role, Seats, Start, Threads};
use domain::QueueName;
use scheduler::{Board, Parts, Predecessors};
use settings::{Reader, vars};

const SCHEDULER: Role = Role {
    name: "scheduler",
    about: "The housekeeping of a Flotilla fleet: makes due jobs queued, gives back what dead workers ran, sends again what the broker \
            lost, deletes what is kept no longer. Any number may run; there is no leader.",
    settings: &[&vars::ADMIN_LISTEN, &vars::SUCCEEDED_KEPT, &vars::DEAD_KEPT, &vars::STOPPED_KEPT],
    examples: "  scheduler                                   health and metrics on 127.0.0.1:8082\n  FLOTILLA_ADMIN_LISTEN=127.0.0.1:0 scheduler a second one on this machine",
    threads: Threads::Few,
};
const ADMIN_PORT: u16 = 8082;

struct Settings {
    engine: EngineSettings,
    admin: SocketAddr,
    queues: Vec<QueueName>,
}

fn main() -> ExitCode {
    bootstrap::run_role(&SCHEDULER, run)
}

async fn run(start: Start) -> anyhow::Result<Ended> {
    let mut reader = Reader::new(&start.source);
    let settings = Settings {
        engine: EngineSettings::read(&mut reader, Seats::OneRole),
        admin: bootstrap::admin_listen(&mut reader, ADMIN_PORT),
        queues: reader.list(&vars::QUEUES),
    };
    let settings = reader.finish(settings)?;
    let opening = Opening { name: SCHEDULER.name, watches: true, migrates: false, stop: &start.stop };
    let engine = Engine::open(&settings.engine, &opening).await?;
    let parts =
        AdminParts { vitals: engine.vitals(), metrics: Arc::clone(&engine.metrics), stopping: start.stop.clone(), registered: None };
    let admin = AdminPort::start(settings.admin, parts).await?;
    let (address, servers) = (admin.address(), settings.engine.servers());
    tracing::info!(servers, %address, "scheduler {} starts", env!("CARGO_PKG_VERSION"));
    let keeper = tokio::spawn(QueueKeeper::new(&engine, settings.queues).keep(start.stop.clone()));
    scheduler::run(duties(&engine, &settings.engine), Predecessors::MayLive, Arc::new(Board::default()), start.stop).await;
    let kept = keeper.await.is_ok();
    admin.close().await;
    Ok(Ended::of(engine.close().await && kept))
}

fn duties(engine: &Engine, settings: &EngineSettings) -> Parts {
    Parts {
        upkeep: Arc::clone(&engine.store) as _,
        steering: Arc::clone(&engine.store) as _,
        ledger: engine.ledger.clone(),
        broker: Arc::clone(&engine.broker),
        nudges: Arc::clone(&engine.nudges),
        clock: Arc::clone(&engine.clock),
        metrics: Arc::clone(&engine.metrics),
        retention: settings.retention,
    }
}
