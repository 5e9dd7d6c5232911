//! The webhook worker as a process of its own; any number of them may run.

use std::process::ExitCode;
use std::sync::Arc;

use bootstrap::{Ended, Role, Start, Threads, WorkerSettings};
use settings::{Reader, vars};
use webhooks_worker::{Parts, WebhooksSettings, register};

const WEBHOOKS_WORKER: Role = Role {
    name: "webhooks-worker",
    about: "Delivers the webhooks of a Flotilla fleet: signed, guarded against requests to where they must not go, retried by the fleet. \
            Any number may run.",
    settings: &[&vars::WORKER_SLOTS, &vars::ADMIN_LISTEN, &vars::WEBHOOKS_ALLOW, &vars::WEBHOOKS_HTTP, &vars::WEBHOOKS_PORTS],
    examples: "  webhooks-worker                              10 jobs at once; health and metrics on 127.0.0.1:8083\n  FLOTILLA_ADMIN_LISTEN=127.0.0.1:0 webhooks-worker   a second one on this machine",
    threads: Threads::Few,
};
const ADMIN_PORT: u16 = 8083;

fn main() -> ExitCode {
    bootstrap::run_role(&WEBHOOKS_WORKER, run)
}

async fn run(start: Start) -> anyhow::Result<Ended> {
    let mut reader = Reader::new(&start.source);
    let settings = (WorkerSettings::read(&mut reader, ADMIN_PORT), WebhooksSettings::read(&mut reader));
    let (settings, policy) = reader.finish(settings)?;
    bootstrap::run_worker(&WEBHOOKS_WORKER, start, settings, |engine, registry| {
        let parts = Parts { policy, access: Arc::clone(&engine.store) as _, vault: Arc::clone(&engine.vault) };
        Ok(register(registry, parts)?)
    })
    .await
}
