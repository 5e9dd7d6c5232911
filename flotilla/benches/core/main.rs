//! How fast are the engines, measured from outside? `cargo xtask bench core` runs this and says where the servers are.
//!
//! Figures go to standard output as a table and to `target/bench/` as JSON. A benchmark, never a test: it fails when a job was lost
//! or ran twice, not when it was slow.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark speaks on standard output")]

mod distributed;
mod embedded;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

const USAGE: &str =
    "say `embedded [--quick]`, or `distributed --servers FILE [--quick] [--rounds N] [--pick-up]`; `cargo xtask bench core` does";

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// A tenth of the samples: shows that everything works, and no figure to be told.
    pub quick: bool,
    /// How often what can be repeated is; 0: the pick-up alone is measured.
    pub rounds: usize,
}

fn main() -> ExitCode {
    // The benchmark is its own worker; see there.
    if std::env::args().next().as_deref() == Some(distributed::WORKER) {
        return distributed::work();
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let (mut engine, mut servers, mut effort) = (None, None, Effort { quick: false, rounds: 3 });
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            // Cargo's own.
            "--bench" | "--" => {}
            "--quick" => effort = Effort { quick: true, rounds: 1 },
            "--pick-up" => effort.rounds = 0,
            "--rounds" => effort.rounds = args.next().context(USAGE)?.parse::<usize>().context(USAGE)?.clamp(1, 20),
            "--servers" => servers = Some(PathBuf::from(args.next().context(USAGE)?)),
            "embedded" | "distributed" => engine = Some(arg),
            _ => bail!("`{arg}` is not understood: {USAGE}"),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match (engine.as_deref(), servers) {
        (Some("distributed"), Some(servers)) => runtime.block_on(distributed::run(&servers, effort)),
        (Some("distributed"), None) => bail!("the distributed engine needs servers: {USAGE}"),
        _ => runtime.block_on(embedded::run(effort)),
    }
}
