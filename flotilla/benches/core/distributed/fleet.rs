//! The fleet that is measured: one producer, one scheduler, and workers that come and go, each a process with the product's own settings.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use bootstrap::{AccessSettings, DatabaseSettings, KeyOrder};
use domain::TenantId;
use private_servers::{free_port, random_hex};
use settings::{Reader, Source, Var, vars};
use store::Scopes;
use tokio::process::Command;
use tokio::time::{Instant, interval};

use super::cpu::{self, Usage};
use super::database::Database;
use super::generator::Target;
use super::process::Process;
use super::servers::Servers;
use super::worker::WORKER;

/// Looked at as rarely as the deadline of a figure allows: what looks costs what is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub struct Fleet<'a> {
    servers: &'a Servers,
    environment: Vec<(&'static str, String)>,
    pub database: Database,
    pub target: Target,
    producer: Process,
    scheduler: Process,
    workers: Vec<Process>,
}

impl<'a> Fleet<'a> {
    /// Everything but workers.
    pub async fn start(servers: &'a Servers) -> anyhow::Result<Self> {
        let environment = vec![
            (vars::DATABASE_URL.name, servers.database_url()),
            (vars::BROKER_URL.name, servers.broker_url()),
            (vars::REDIS_URL.name, servers.redis.url()),
            (vars::SECRET_KEY.name, random_hex(32)),
            (vars::LOG.name, "info".to_owned()),
            // One key submits everything.
            (vars::RATE_LIMIT.name, "0".to_owned()),
        ];
        let key = migrated(&environment).await?;
        let port = free_port()?;
        let producer = Process::start("producer", role("producer", &environment, &vars::LISTEN, port)?, port).await?;
        let target = Target { port, key };
        let port = free_port()?;
        let scheduler = Process::start("scheduler", role("scheduler", &environment, &vars::ADMIN_LISTEN, port)?, port).await?;
        Ok(Self { servers, database: servers.database()?, environment, target, producer, scheduler, workers: Vec::new() })
    }

    /// One more worker with this many slots.
    pub async fn add_worker(&mut self, slots: u32) -> anyhow::Result<()> {
        let port = free_port()?;
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command.arg0(WORKER).env(vars::WORKER_SLOTS.name, slots.to_string());
        let command = settled(command, &self.environment, &vars::ADMIN_LISTEN, port);
        self.workers.push(Process::start("worker", command, port).await?);
        Ok(())
    }

    /// Two at the same time.
    pub async fn add_two_workers(&mut self, slots: u32) -> anyhow::Result<()> {
        let [first, second] = [free_port()?, free_port()?];
        let start = |port: u16| {
            let mut command = std::process::Command::new(std::env::current_exe()?);
            command.arg0(WORKER).env(vars::WORKER_SLOTS.name, slots.to_string());
            anyhow::Ok(settled(command, &self.environment, &vars::ADMIN_LISTEN, port))
        };
        let (first, second) =
            tokio::join!(Process::start("worker", start(first)?, first), Process::start("worker", start(second)?, second));
        self.workers.extend([first?, second?]);
        Ok(())
    }

    /// The product's own worker, which knows other kinds: for what it takes when it has nothing to do.
    pub async fn webhooks_worker(&self) -> anyhow::Result<Process> {
        let port = free_port()?;
        Process::start("webhooks-worker", role("webhooks-worker", &self.environment, &vars::ADMIN_LISTEN, port)?, port).await
    }

    /// Drains all workers.
    pub async fn stop_workers(&mut self) -> anyhow::Result<()> {
        for worker in self.workers.drain(..) {
            worker.stop().await?;
        }
        Ok(())
    }

    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.stop_workers().await?;
        self.scheduler.stop().await?;
        self.producer.stop().await
    }

    /// Attempts that ended on the workers that run.
    pub async fn settled(&self) -> anyhow::Result<u64> {
        let mut settled = 0.0;
        for worker in &self.workers {
            settled += worker.counter("flotilla_jobs_settled_total").await?;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a count")]
        Ok(settled as u64)
    }

    /// Waits until so many have ended on them.
    pub async fn has_settled(&self, jobs: u64, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        let mut looks = interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            let settled = self.settled().await?;
            if settled >= jobs {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "only {settled} of {jobs} jobs ended in time");
        }
    }

    /// Seconds of processor time until now.
    pub fn usage(&self) -> Usage {
        let ours = [
            ("generator", cpu::of_process(std::process::id())),
            ("producer", cpu::of_process(self.producer.pid)),
            ("scheduler", cpu::of_process(self.scheduler.pid)),
            ("workers", self.workers.iter().map(|worker| cpu::of_process(worker.pid)).sum()),
        ];
        ours.into_iter().chain(self.servers.homes().map(|(name, home)| (name, cpu::of_directory(home)))).collect()
    }

    /// Memory in MiB by role; `what` as in [`cpu::resident`].
    pub fn resident(&self, what: &str) -> anyhow::Result<Vec<(&'static str, f64)>> {
        let mut resident =
            vec![("producer", cpu::resident(self.producer.pid, what)?), ("scheduler", cpu::resident(self.scheduler.pid, what)?)];
        for worker in &self.workers {
            resident.push(("worker", cpu::resident(worker.pid, what)?));
        }
        Ok(resident)
    }
}

/// A program of the product, beside the one that this was built with.
fn role(name: &str, environment: &[(&'static str, String)], listen: &Var, port: u16) -> anyhow::Result<Command> {
    let program: PathBuf = Path::new(env!("CARGO_BIN_EXE_flotilla")).with_file_name(name);
    ensure!(program.is_file(), "`{}` is not built; `cargo xtask bench core` builds it", program.display());
    Ok(settled(std::process::Command::new(program), environment, listen, port))
}

fn settled(mut command: std::process::Command, environment: &[(&'static str, String)], listen: &Var, port: u16) -> Command {
    command.envs(environment.iter().cloned()).env(listen.name, format!("127.0.0.1:{port}"));
    Command::from(command)
}

/// Makes the schema and the first key, as `flotilla migrate` and `flotilla keys create --direct` do.
async fn migrated(environment: &[(&'static str, String)]) -> anyhow::Result<String> {
    let given = |var: &Var| environment.iter().find(|(name, _)| *name == var.name).map(|(_, value)| value.as_str()).unwrap_or_default();
    let source = Source::of(&[(&vars::DATABASE_URL, given(&vars::DATABASE_URL)), (&vars::SECRET_KEY, given(&vars::SECRET_KEY))]);
    let mut reader = Reader::new(&source);
    let settings = (DatabaseSettings::read(&mut reader), AccessSettings::read(&mut reader));
    let (database, access) = reader.finish(settings)?;
    bootstrap::migrate(&database).await?.context("the database is no server")?;
    let order = KeyOrder { name: "bench".to_owned(), tenant: TenantId::of(bootstrap::DEFAULT_TENANT), scopes: Scopes::ADMIN };
    Ok(bootstrap::create_key(&access, order).await?.0)
}
