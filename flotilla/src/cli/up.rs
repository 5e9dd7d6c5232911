//! `flotilla up`: everything in one process, until Ctrl-C.

use clap::Args;
use settings::{Source, vars};

use super::{Outcome, say};
use crate::demo::{self, Demo};
use crate::{Down, Fleet, FleetOptions};

/// Run everything in one process.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flotilla up                              serve on 127.0.0.1:8080
  flotilla up --demo                       push a few thousand real jobs through it, then keep serving
  flotilla up --demo --exit                the same as a check: ends with 0 only if everything ended as expected
  flotilla up --listen 127.0.0.1:0         any free port

On PostgreSQL, RabbitMQ and Redis: set FLOTILLA_DATABASE_URL, FLOTILLA_BROKER_URL, FLOTILLA_REDIS_URL and
FLOTILLA_SECRET_KEY. The schema is brought up to date first.")]
pub struct Up {
    /// Push a bounded workload through the API and say how it went
    #[arg(long)]
    demo: bool,
    /// With --demo: stop after it; 0 only if every group ended as expected
    #[arg(long, requires = "demo")]
    exit: bool,
    /// Where the API listens [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Jobs at the same time [default: 10]
    #[arg(long)]
    slots: Option<u32>,
}

impl Up {
    /// The settings with what the command line says.
    pub fn over(&self, source: Source) -> Source {
        let given = [(&vars::LISTEN, self.listen.clone()), (&vars::WORKER_SLOTS, self.slots.map(|slots| slots.to_string()))];
        given.into_iter().fold(source, |source, (var, value)| match value {
            Some(value) => source.with(var, value),
            None => source,
        })
    }

    pub async fn run(self, source: Source) -> anyhow::Result<Outcome> {
        let shutdown = bootstrap::shutdown_on_signals()?;
        let demo = if self.demo { Some(Demo::prepare().await?) } else { None };
        let source = match &demo {
            Some(demo) => demo.over(source),
            None => source,
        };
        let fleet = Fleet::start_unless(FleetOptions { source, ..FleetOptions::default() }, &shutdown).await?;
        tracing::info!(servers = fleet.servers(), address = fleet.url(), "up {} starts", env!("CARGO_PKG_VERSION"));
        say::line(&format!("API      {}", fleet.url()));
        say::line(&format!("CLI key  {} (the `flotilla` command finds it by itself)", fleet.credentials_file().display()));
        let mut outcome = Outcome::Done;
        if let Some(demo) = demo {
            let ran = shutdown.run_until_cancelled(demo::run(demo, fleet.client()?)).await;
            outcome = match ran.transpose()? {
                Some(demo::Verdict::AsExpected) => Outcome::Done,
                Some(demo::Verdict::Otherwise) => Outcome::NotWell,
                // Interrupted: it proved nothing.
                None => Outcome::NotWell,
            };
        }
        if !self.exit {
            if !shutdown.is_cancelled() {
                say::line("serving until Ctrl-C");
            }
            outcome = tokio::select! {
                () = shutdown.cancelled() => Outcome::Done,
                () = fleet.a_role_ended() => {
                    tracing::error!("a part of this process ended by itself, which is a bug; stopping, so that it can be started anew");
                    Outcome::NotWell
                }
            };
        }
        farewell(fleet.shutdown().await);
        Ok(outcome)
    }
}

fn farewell(down: Down) {
    let Down { worker, clean } = down;
    let jobs = |n: usize| if n == 1 { "1 job".to_owned() } else { format!("{n} jobs") };
    let finished =
        if worker.finished > 0 { format!("{} finished while we waited", jobs(worker.finished)) } else { "nothing was running".to_owned() };
    let handed =
        if worker.handed_back > 0 { format!(", {} handed back for the next start", jobs(worker.handed_back)) } else { String::new() };
    let end = if clean { "everything is recorded" } else { "not everything could be recorded; the next start sorts it out" };
    say::line(&format!("drained: {finished}{handed}; {end}"));
}
