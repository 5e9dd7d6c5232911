//! What every role's `main` does around its role: command line, settings, logs, signals, exit code.
#![expect(clippy::print_stderr, reason = "the last word of a process that could not start is for the person who started it")]

use std::process::ExitCode;

use anyhow::Context as _;
use settings::{Reader, Source, Var, vars};
use tokio_util::sync::CancellationToken;

use crate::{EngineError, LogSettings, shutdown_on_signals, start_logs};

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Threads of a role that waits more than it computes: each costs memory, and several such processes share a machine.
const FEW_THREADS: usize = 2;

/// A role as a program.
#[derive(Debug)]
pub struct Role {
    pub name: &'static str,
    /// What it does, as `--help` says it.
    pub about: &'static str,
    /// What it reads besides what every role reads.
    pub settings: &'static [&'static Var],
    /// For `--help`.
    pub examples: &'static str,
    pub threads: Threads,
}

/// How many threads the role itself gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// As many as the machine runs at once.
    All,
    Few,
}

/// What a role starts with.
pub struct Start {
    pub source: Source,
    /// Cancelled by the first signal.
    pub stop: CancellationToken,
}

/// How a role ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything begun was finished or given back.
    Clean,
    /// The others make up for what could not be recorded.
    NotClean,
}

impl Ended {
    pub fn of(clean: bool) -> Self {
        if clean { Self::Clean } else { Self::NotClean }
    }
}

const EVERY_ROLE: [&Var; 11] = [
    &vars::DATABASE_URL,
    &vars::BROKER_URL,
    &vars::REDIS_URL,
    &vars::SECRET_KEY,
    &vars::EXPRESS,
    &vars::QUEUE_TYPE,
    &vars::TLS_CA,
    &vars::QUEUES,
    &vars::LOG,
    &vars::LOG_FORMAT,
    &vars::CONFIG,
];

/// Runs a role to its end. Exit codes: 0 clean, 1 it could not start or did not end well, 2 the command line is wrong.
pub fn run_role(role: &'static Role, run: impl AsyncFnOnce(Start) -> anyhow::Result<Ended>) -> ExitCode {
    command(role).get_matches();
    match runtime_of(role).and_then(|runtime| runtime.block_on(Box::pin(started(role, run)))) {
        Ok(Ended::Clean) => ExitCode::SUCCESS,
        Ok(Ended::NotClean) => ExitCode::FAILURE,
        // Nothing was begun, and it ended as it was asked to.
        Err(error) if matches!(error.downcast_ref(), Some(EngineError::Interrupted)) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn started(role: &'static Role, run: impl AsyncFnOnce(Start) -> anyhow::Result<Ended>) -> anyhow::Result<Ended> {
    let source = Source::from_process()?;
    let mut reader = Reader::new(&source);
    let logs = LogSettings::read(&mut reader);
    // All problems of all settings are told together, by the role: bad settings of logs alone must not hide them.
    if let Ok(logs) = reader.finish(logs) {
        start_logs(&logs)?;
    }
    for name in source.unknown() {
        tracing::warn!("`{name}` is set, but no setting is called so; see docs/configuration.md");
    }
    let stop = shutdown_on_signals().context("could not listen for signals")?;
    let ended = run(Start { source, stop }).await?;
    tracing::info!("{} ended", role.name);
    Ok(ended)
}

fn runtime_of(role: &Role) -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if role.threads == Threads::Few {
        builder.worker_threads(FEW_THREADS);
    }
    builder.enable_all().build().context("could not start threads")
}

fn command(role: &Role) -> clap::Command {
    let own: Vec<&Var> = role.settings.iter().copied().chain(EVERY_ROLE).collect();
    let after = format!(
        "Needs PostgreSQL with the schema that `flotilla migrate` makes, RabbitMQ and Redis: their three URLs and the secret key are \
         required.\n\nSettings, from the environment or `flotilla.toml` (docs/configuration.md has all of them):\n{}\nExamples:\n{}\n\n\
         Exit codes: 0 ended cleanly · 1 it could not start or did not end well · 2 the command line is wrong",
        vars::help(&own),
        role.examples,
    );
    clap::Command::new(role.name).version(VERSION).about(role.about).after_help(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_says_what_it_does_and_its_settings() {
        let role = Role { name: "tester", about: "Tests.", settings: &[&vars::LISTEN], examples: "  tester", threads: Threads::Few };
        let help = command(&role).render_help().to_string();
        for word in ["Tests.", "FLOTILLA_LISTEN", "127.0.0.1:8080", "FLOTILLA_DATABASE_URL", "Exit codes"] {
            assert!(help.contains(word), "`{word}` is missing in: {help}");
        }
        command(&role).debug_assert();
    }
}
