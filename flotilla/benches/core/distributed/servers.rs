//! Which servers is this measured on, and are they set up as they should be? `cargo xtask` has started them and says so in a file.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use private_servers::{Postgres, RabbitMq, Recipe, Redis};
use serde::Deserialize;
use serde_json::{Value, json};

use super::database::Database;

/// The database of the product, and that of the raw measurement.
const DATABASE: &str = "flotilla";
const RAW_DATABASE: &str = "raw";

/// What the file says.
#[derive(Debug, Deserialize)]
pub struct Servers {
    pub postgres: Postgres,
    pub rabbitmq: RabbitMq,
    pub redis: Redis,
    psql: PathBuf,
    /// The program that measures the raw limits, or why there is none.
    pub raw: Result<PathBuf, String>,
}

impl Servers {
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("could not read `{}`", file.display()))?;
        // There are passwords in it, so nothing of it is said.
        serde_json::from_str(&text).ok().with_context(|| format!("`{}` does not say where servers are", file.display()))
    }

    pub fn database(&self) -> anyhow::Result<Database> {
        Database::new(self.psql.clone(), &self.database_url())
    }

    pub fn database_url(&self) -> String {
        self.postgres.url(DATABASE)
    }

    pub fn raw_database_url(&self) -> String {
        self.postgres.url(RAW_DATABASE)
    }

    pub fn broker_url(&self) -> String {
        format!("{}/%2f", self.rabbitmq.url())
    }

    /// Where each server keeps its files: what its processes are known by.
    pub fn homes(&self) -> [(&'static str, &Path); 3] {
        [
            (Postgres::NAME, self.postgres.home().directory()),
            (RabbitMq::NAME, self.rabbitmq.home().directory()),
            (Redis::NAME, self.redis.home().directory()),
        ]
    }

    /// Versions and durability, read from the servers.
    ///
    /// # Errors
    /// When a commit would be answered before it is on the disk: whatever was measured then would be worth nothing.
    pub async fn conditions(&self) -> anyhow::Result<Value> {
        let database = self.database()?;
        let mut postgres = serde_json::Map::new();
        for name in ["server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size"] {
            let value = database.ask(&format!("show {name}")).await?;
            postgres.insert(name.to_owned(), json!(value.first().and_then(|row| row.first())));
        }
        for name in ["fsync", "synchronous_commit", "full_page_writes"] {
            ensure!(postgres[name] == "on", "PostgreSQL has {name} = {}, not `on`", postgres[name]);
        }
        let version = self.rabbitmq.ctl(&["-q", "version"])?;
        Ok(json!({ "postgresql": postgres, "rabbitmq": version.trim() }))
    }

    /// The broker's queues.
    ///
    /// # Errors
    /// When a class queue is not durable and a quorum queue.
    pub async fn queues(&self) -> anyhow::Result<Value> {
        let listed = self.rabbitmq.ctl(&["-q", "list_queues", "name", "type", "durable", "messages", "--formatter", "json"])?;
        let queues: Value = serde_json::from_str(&listed).context("rabbitmqctl printed something else than JSON")?;
        let ours = |queue: &&Value| queue["name"].as_str().is_some_and(|name| name.starts_with("flotilla.v1.bench.p"));
        let classes: Vec<&Value> = queues.as_array().into_iter().flatten().filter(ours).collect();
        if classes.is_empty() {
            bail!("the broker has no queue of the benchmark's kind");
        }
        for queue in classes {
            let kind = queue["type"].as_str().unwrap_or_default().trim_start_matches("rabbit_").trim_end_matches("_queue");
            ensure!(kind == "quorum" && queue["durable"] == true, "a queue is neither quorum nor durable: {queue}");
        }
        Ok(queues)
    }
}
