//! A worker of the laboratory as a process of its own: it runs the kinds of `chaos::kinds`.

use std::process::ExitCode;

use bootstrap::{Ended, Role, Start, Threads, WorkerSettings};
use settings::{Reader, vars};

const CHAOS_WORKER: Role = Role {
    name: "chaos-worker",
    about: "Runs the kinds of Flotilla's laboratory, which make effects, fail and crash as their payloads say. For tests.",
    settings: &[&vars::WORKER_SLOTS, &vars::ADMIN_LISTEN],
    examples: "  chaos-worker                              health and metrics on 127.0.0.1:8089",
    threads: Threads::Few,
};
const ADMIN_PORT: u16 = 8089;

fn main() -> ExitCode {
    bootstrap::run_role(&CHAOS_WORKER, run)
}

async fn run(start: Start) -> anyhow::Result<Ended> {
    let mut reader = Reader::new(&start.source);
    let settings = WorkerSettings::read(&mut reader, ADMIN_PORT);
    let settings = reader.finish(settings)?;
    bootstrap::run_worker(&CHAOS_WORKER, start, settings, |_engine, registry| Ok(chaos::kinds::register(registry)?)).await
}
