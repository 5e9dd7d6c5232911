//! The worker that is measured: the product's worker process with two kinds that do nothing.
//!
//! The benchmark runs itself under another name for it, through the same function as every worker program.

use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use bootstrap::{Ended, Role, Start, Threads, WorkerSettings};
use kinds::Kind;
use runtime::{Handler, JobContext, Registry};
use settings::{Reader, vars};

/// The name that it is started under.
pub const WORKER: &str = "bench-worker";
pub const NOOP: &str = "bench.noop";
pub const CLOCKED: &str = "bench.clocked";

const ROLE: Role = Role {
    name: WORKER,
    about: "Does nothing, as often as it is asked to.",
    settings: &[&vars::WORKER_SLOTS, &vars::ADMIN_LISTEN],
    examples: "",
    threads: Threads::Few,
};

/// Does nothing, and has no result.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[expect(dead_code, reason = "they are there for their size")]
struct Noop {
    number: usize,
    padding: String,
}

impl Kind for Noop {
    const NAME: &'static str = NOOP;
    const QUEUE: &'static str = "bench";
}

/// Says when it started, as its result.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[expect(dead_code, reason = "they are there for their size")]
struct Clocked {
    number: usize,
    padding: String,
}

impl Kind for Clocked {
    const NAME: &'static str = CLOCKED;
    const QUEUE: &'static str = "bench";
}

struct Idle;

impl Handler<Noop> for Idle {
    type Output = ();

    async fn run(&self, _: Noop, _: &JobContext) -> Result<(), domain::Failure> {
        Ok(())
    }
}

impl Handler<Clocked> for Idle {
    type Output = i64;

    async fn run(&self, _: Clocked, _: &JobContext) -> Result<i64, domain::Failure> {
        Ok(realtime_micros())
    }
}

/// The machine's wall clock (`CLOCK_REALTIME`): the same in all processes of one machine.
#[expect(clippy::disallowed_methods, reason = "two processes of one machine compare their clocks; nothing is decided by it")]
pub fn realtime_micros() -> i64 {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A submission of about 200 bytes, as peers were measured with.
pub fn submission(kind: &str, number: usize) -> String {
    format!(r#"{{"kind":"{kind}","payload":{{"number":{number},"padding":"{:x<150}"}}}}"#, "")
}

/// Runs as the worker.
pub fn work() -> ExitCode {
    bootstrap::run_role(&ROLE, run)
}

async fn run(start: Start) -> anyhow::Result<Ended> {
    let mut reader = Reader::new(&start.source);
    let settings = WorkerSettings::read(&mut reader, 0);
    let settings = reader.finish(settings)?;
    let register = |_: &bootstrap::Engine, registry: &mut Registry| {
        registry.add::<Noop, _>(Idle)?;
        registry.add::<Clocked, _>(Idle)?;
        Ok(())
    };
    bootstrap::run_worker(&ROLE, start, settings, register).await
}
