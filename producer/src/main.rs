//! The API as a process of its own; any number of them may run.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use bootstrap::{Ended, Engine, EngineSettings, Opening, QueueKeeper, Role, Seats, Start, Threads};
use domain::QueueName;
use settings::{ListenAddress, Reader, vars};
use tokio_util::sync::CancellationToken;

const PRODUCER: Role = Role {
    name: "producer",
    about: "The API of a Flotilla fleet: takes jobs in over HTTP and answers once they are durable, also while RabbitMQ and \
            Redis are away. Any number may run, behind one address.",
    settings: &[&vars::LISTEN, &vars::SUCCEEDED_KEPT, &vars::DEAD_KEPT, &vars::STOPPED_KEPT],
    examples: "  producer                                    on 127.0.0.1:8080\n  FLOTILLA_LISTEN=127.0.0.1:0 producer        on any free port; the first line of the log says which",
    threads: Threads::All,
};

struct Settings {
    engine: EngineSettings,
    listen: SocketAddr,
    queues: Vec<QueueName>,
}

fn main() -> ExitCode {
    bootstrap::run_role(&PRODUCER, run)
}

async fn run(start: Start) -> anyhow::Result<Ended> {
    let mut reader = Reader::new(&start.source);
    let settings = Settings {
        engine: EngineSettings::read(&mut reader, Seats::OneRole),
        listen: reader.get::<ListenAddress>(&vars::LISTEN).0,
        queues: reader.list(&vars::QUEUES),
    };
    let settings = reader.finish(settings)?;
    let opening = Opening { name: PRODUCER.name, watches: false, migrates: false, stop: &start.stop };
    let engine = Engine::open(&settings.engine, &opening).await?;
    let listener = bootstrap::listen(settings.listen, vars::LISTEN.name).await?;
    let (address, servers) = (listener.local_addr()?, settings.engine.servers());
    tracing::info!(servers, %address, "producer {} starts", env!("CARGO_PKG_VERSION"));
    let keeper = tokio::spawn(QueueKeeper::new(&engine, settings.queues).keep(start.stop.clone()));
    let router = producer::router(parts(&engine, &settings.engine, start.stop.clone()));
    let served = producer::serve(listener, router, start.stop.clone()).await;
    start.stop.cancel();
    let kept = keeper.await.is_ok();
    let closed = engine.close().await;
    served?;
    Ok(Ended::of(kept && closed))
}

fn parts(engine: &Engine, settings: &EngineSettings, stopping: CancellationToken) -> producer::Parts {
    producer::Parts {
        intake: Arc::clone(&engine.store) as _,
        reports: Arc::clone(&engine.store) as _,
        access: Arc::clone(&engine.store) as _,
        publisher: engine.publisher(),
        nudges: Arc::clone(&engine.nudges),
        feed: Arc::clone(&engine.feed),
        clock: Arc::clone(&engine.clock),
        vault: Arc::clone(&engine.vault),
        metrics: Arc::clone(&engine.metrics),
        mint: Arc::clone(&engine.mint),
        retention_shortest: settings.retention.shortest(),
        stopping,
    }
}
