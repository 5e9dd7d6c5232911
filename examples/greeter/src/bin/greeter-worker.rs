//! A worker of a fleet on servers, as a process of its own; any number of them may run.

use std::process::ExitCode;

use bootstrap::{Ended, Role, Start, Threads, WorkerSettings};
use settings::{Reader, vars};

const GREETER_WORKER: Role = Role {
    name: "greeter-worker",
    about: "Runs the `example.greet` jobs of a Flotilla fleet. Any number may run.",
    settings: &[&vars::WORKER_SLOTS, &vars::ADMIN_LISTEN],
    examples: "  greeter-worker                              health and metrics on 127.0.0.1:8084",
    threads: Threads::Few,
};
const ADMIN_PORT: u16 = 8084;

fn main() -> ExitCode {
    bootstrap::run_role(&GREETER_WORKER, run)
}

async fn run(start: Start) -> anyhow::Result<Ended> {
    let mut reader = Reader::new(&start.source);
    let settings = WorkerSettings::read(&mut reader, ADMIN_PORT);
    let settings = reader.finish(settings)?;
    bootstrap::run_worker(&GREETER_WORKER, start, settings, |_engine, registry| Ok(greeter::register(registry)?)).await
}
