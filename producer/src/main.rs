//! The API as a process of its own; any number of them may run.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use bootstrap::{
    AdminParts, AdminPort, ApiSettings, Ended, Engine, EngineSettings, Opening, QueueKeeper, Role, Seats, Server, Start, Threads,
};
use domain::QueueName;
use settings::{Reader, Var, vars};
use tokio_util::sync::CancellationToken;

const PRODUCER: Role = Role {
    name: "producer",
    about: "The API of a Flotilla fleet: takes jobs in over HTTP and answers once they are durable, also while RabbitMQ and \
            Redis are away. Any number may run, behind one address.",
    settings: &SETTINGS,
    examples: "  producer                                    on 127.0.0.1:8080\n  FLOTILLA_LISTEN=127.0.0.1:0 producer        on any free port; the first line of the log says which",
    threads: Threads::All,
};

const SETTINGS: [&Var; 9] = {
    let [listen, connections, requests, rate, origins] = ApiSettings::VARS;
    [listen, connections, requests, rate, origins, &vars::ADMIN_LISTEN, &vars::SUCCEEDED_KEPT, &vars::DEAD_KEPT, &vars::STOPPED_KEPT]
};

struct Settings {
    engine: EngineSettings,
    api: ApiSettings,
    /// A port for probes that callers of the API cannot fill.
    admin: Option<SocketAddr>,
    queues: Vec<QueueName>,
}

fn main() -> ExitCode {
    bootstrap::run_role(&PRODUCER, run)
}

async fn run(start: Start) -> anyhow::Result<Ended> {
    let mut reader = Reader::new(&start.source);
    let settings = Settings {
        engine: EngineSettings::read(&mut reader, Seats::OneRole),
        api: ApiSettings::read(&mut reader),
        admin: bootstrap::admin_listen_if_set(&mut reader),
        queues: reader.list(&vars::QUEUES),
    };
    let settings = reader.finish(settings)?;
    let opening = Opening { name: PRODUCER.name, watches: false, migrates: false, stop: &start.stop };
    let engine = Engine::open(&settings.engine, &opening).await?;
    let listener = bootstrap::listen(settings.api.listen, vars::LISTEN.name).await?;
    let (address, servers) = (listener.local_addr()?, settings.engine.servers());
    tracing::info!(servers, %address, "producer {} starts", env!("CARGO_PKG_VERSION"));
    let admin = match settings.admin {
        Some(address) => Some(admin_port(address, &engine, &start.stop).await?),
        None => None,
    };
    let keeper = tokio::spawn(QueueKeeper::new(&engine, settings.queues).keep(start.stop.clone()));
    let router = producer::router(parts(&engine, &settings.engine, &settings.api, start.stop.clone()));
    let server = Server { listener, router, limits: settings.api.server, metrics: Arc::clone(&engine.metrics) };
    server.serve(start.stop.clone()).await;
    if let Some(admin) = admin {
        admin.close().await;
    }
    let kept = keeper.await.is_ok();
    let closed = engine.close().await;
    Ok(Ended::of(kept && closed))
}

async fn admin_port(address: SocketAddr, engine: &Engine, stop: &CancellationToken) -> anyhow::Result<AdminPort> {
    let (vitals, metrics) = (engine.vitals(), Arc::clone(&engine.metrics));
    let admin = AdminPort::start(address, AdminParts { vitals, metrics, stopping: stop.clone(), registered: None }).await?;
    tracing::info!(address = %admin.address(), "health and metrics have a port of their own");
    Ok(admin)
}

fn parts(engine: &Engine, settings: &EngineSettings, api: &ApiSettings, stopping: CancellationToken) -> producer::Parts {
    producer::Parts {
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
        stopping,
    }
}
