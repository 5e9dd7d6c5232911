//! Which servers is the benchmark run on? Fresh ones of its own, set up as an owner would, that end with it.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use private_servers::{Extras, Postgres, RabbitMq, Recipe, Redis, Server, Sweeper, random_hex};
use serde::Serialize;

use crate::services::{Resource, programs};
use crate::workspace;

/// As the peers were measured: durability as PostgreSQL ships it, and room for what is measured.
const POSTGRES: [&str; 3] = ["max_connections = 200", "shared_buffers = 1GB", "max_wal_size = 4GB"];
/// The recipe has the management plugin. It counts every message of every queue unless it is told not to, which no owner who
/// measures by other means would let it.
const RABBITMQ: [&str; 1] = ["management_agent.disable_metrics_collector = true"];
/// That of the product, and that of the raw measurement.
const DATABASES: [&str; 2] = ["flotilla", "raw"];

/// Servers that run. Dropped, all of it ends.
pub struct Servers {
    file: PathBuf,
    _postgres: Server<Postgres>,
    _rabbitmq: Server<RabbitMq>,
    _redis: Server<Redis>,
}

/// What the benchmark is told.
#[derive(Serialize)]
struct Told<'a> {
    postgres: &'a Postgres,
    rabbitmq: &'a RabbitMq,
    redis: &'a Redis,
    psql: PathBuf,
    raw: Result<PathBuf, String>,
}

impl Servers {
    /// Starts all three. `raw` is for the benchmark.
    pub fn start(raw: Result<PathBuf, String>) -> Result<Self> {
        let (programs, complaints) = programs(&Resource::SERVERS);
        let (Some(bin), Some(script), Some(redis)) = (programs.postgres, programs.rabbitmq, programs.redis) else {
            bail!("{}", complaints.join("; "));
        };
        let parents = parents();
        let sweeper = Arc::new(Sweeper::over(&parents)?);
        let settings = |lines: &[&str]| Extras { settings: lines.iter().map(|line| (*line).to_owned()).collect(), files: Vec::new() };
        let postgres = started(Postgres::plan(&bin, &parents, &DATABASES, settings(&POSTGRES))?, &sweeper)?;
        let rabbitmq = started(RabbitMq::plan(&script, &parents, settings(&RABBITMQ))?, &sweeper)?;
        let redis = started(Redis::plan(&redis, &parents, Extras::default())?, &sweeper)?;
        let file = workspace::root().join(format!("target/bench/servers-{}.json", std::process::id()));
        let told = Told { postgres: postgres.recipe(), rabbitmq: rabbitmq.recipe(), redis: redis.recipe(), psql: bin.join("psql"), raw };
        write_private(&file, &serde_json::to_string(&told)?)?;
        Ok(Self { file, _postgres: postgres, _rabbitmq: rabbitmq, _redis: redis })
    }

    /// Where they are, for the benchmark.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // The passwords in it are of no use any more.
        drop(std::fs::remove_file(&self.file));
    }
}

fn started<R: Recipe>(recipe: R, sweeper: &Arc<Sweeper>) -> Result<Server<R>> {
    let mut server = Server::new(recipe, Some(Arc::clone(sweeper)));
    server.start()?;
    Ok(server)
}

/// On the disk that builds use, or where that is closed to the system users that servers run as.
fn parents() -> Vec<PathBuf> {
    let run = std::process::id();
    let elsewhere = PathBuf::from("/var/tmp").join(format!("flotilla-bench-{run}-{}", random_hex(4)));
    vec![workspace::root().join(format!("target/services/bench-{run}")), elsewhere]
}

/// Only for us: there are passwords in it.
fn write_private(path: &Path, text: &str) -> Result<()> {
    let directory = path.parent().context("a file in a directory")?;
    let written = std::fs::create_dir_all(directory).and_then(|()| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())
    });
    written.with_context(|| format!("could not write `{}`", path.display()))
}
