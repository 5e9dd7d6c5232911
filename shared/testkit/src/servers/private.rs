//! How does a test break a server? It has one of its own, to be stopped, frozen, emptied and started again on the same port.
//!
//! It takes seconds to start, so only such tests have one. When it is dropped, its processes and files go; also when the test
//! is killed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use private_servers::{Extras, Postgres, Programs, RabbitMq, Recipe, Redis, Root, Server, ServerError, Stop, Sweeper, random_hex};

use super::rabbit::RabbitServer;
use super::{PostgresServer, RedisServer};
use crate::environment;

pub type PrivatePostgres = Private<Postgres>;
pub type PrivateRabbit = Private<RabbitMq>;
pub type PrivateRedis = Private<Redis>;

/// A server that belongs to one test.
pub struct Private<R: Recipe> {
    recipe: R,
    server: Arc<Mutex<Server<R>>>,
}

impl Private<Postgres> {
    /// Starts one; `None` when PostgreSQL is not installed here.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Option<Self> {
        Self::start_with(Extras::default()).await
    }

    /// The same with lines for `postgresql.conf` and files.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_with(mut extras: Extras) -> Option<Self> {
        let bin = programs().postgres?;
        extras.settings.insert(0, "max_connections = 100".to_owned());
        extras.settings.insert(1, "shared_buffers = 32MB".to_owned());
        Some(Self::launch(move |parents| Postgres::plan(&bin, parents, &[], extras)).await)
    }

    /// Starts a standby of it, which follows it until it is promoted (`select pg_promote()`).
    ///
    /// # Panics
    /// When it does not start.
    pub async fn standby(&self) -> Self {
        let primary = self.recipe.clone();
        Self::launch(move |parents| primary.plan_standby(parents)).await
    }

    /// For databases in it.
    pub fn server(&self) -> PostgresServer {
        PostgresServer::at(&self.recipe.url("postgres")).expect("the recipe has a URL")
    }

    pub fn port(&self) -> u16 {
        self.recipe.port()
    }
}

impl Private<RabbitMq> {
    /// Starts one; `None` when RabbitMQ is not installed here.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Option<Self> {
        Self::start_with(Extras::default()).await
    }

    /// The same with lines for `rabbitmq.conf` and files. `advanced.config` is taken.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_with(extras: Extras) -> Option<Self> {
        let extras = RabbitMq::brisk(extras);
        if let Some(root) = rabbitmq_root() {
            let name = fresh_name();
            return Some(Self::launch_in(vec![root.parent(&name)], move |_| RabbitMq::plan_in(&root, &name, extras)).await);
        }
        let script = programs().rabbitmq?;
        Some(Self::launch(move |parents| RabbitMq::plan(&script, parents, extras)).await)
    }

    /// For virtual hosts in it. They go with its data: make a new one after [`Private::wipe_and_start`].
    pub fn server(&self) -> RabbitServer {
        RabbitServer::at(&self.recipe.url(), &self.recipe.admin_url()).expect("the recipe has URLs")
    }

    /// The URL of the virtual host that each broker has, also after a wipe: `/`.
    pub fn url(&self) -> String {
        self.server().url_of("/")
    }

    /// What `rabbitmqctl` answers: for alarms (`set_disk_free_limit`, `set_vm_memory_high_watermark`) and the like.
    ///
    /// # Panics
    /// When it fails.
    pub async fn ctl(&self, arguments: &[&str]) -> String {
        let (recipe, arguments) = (self.recipe.clone(), arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>());
        blocking(move || recipe.ctl(&arguments.iter().map(String::as_str).collect::<Vec<_>>())).await
    }

    pub fn port(&self) -> u16 {
        self.recipe.port()
    }
}

impl Private<Redis> {
    /// Starts one; `None` when Redis is not installed here.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Option<Self> {
        Self::start_with(Extras::default()).await
    }

    /// The same with lines for `redis.conf` and files.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_with(extras: Extras) -> Option<Self> {
        let program = programs().redis?;
        Some(Self::launch(move |parents| Redis::plan(&program, parents, extras)).await)
    }

    pub fn server(&self) -> RedisServer {
        RedisServer { url: self.recipe.url() }
    }

    pub fn url(&self) -> String {
        self.recipe.url()
    }

    pub fn port(&self) -> u16 {
        self.recipe.port()
    }
}

impl<R: Recipe> Private<R> {
    async fn launch(plan: impl FnOnce(&[PathBuf]) -> Result<R, ServerError> + Send + 'static) -> Self {
        Self::launch_in(parents(), plan).await
    }

    /// With its files below one of `parents`, which are removed when it has ended.
    async fn launch_in(parents: Vec<PathBuf>, plan: impl FnOnce(&[PathBuf]) -> Result<R, ServerError> + Send + 'static) -> Self {
        blocking(move || {
            let sweeper = Sweeper::over(&parents)?;
            let recipe = plan(&parents)?;
            let mut server = Server::new(recipe.clone(), Some(Arc::new(sweeper)));
            server.start()?;
            Ok(Self { recipe, server: Arc::new(Mutex::new(server)) })
        })
        .await
    }

    /// Ends it; its data stays. Does nothing when it does not run.
    pub async fn stop(&self, stop: Stop) {
        self.with(move |server| {
            server.stop(stop);
            Ok(())
        })
        .await;
    }

    /// Starts it again on the same port, with the data it had; one that runs is stopped gently before.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restart(&self) {
        self.with(|server| {
            server.stop(Stop::Gently);
            server.start()
        })
        .await;
    }

    /// Ends it at once, takes all its data away and starts it again on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn wipe_and_start(&self) {
        self.with(|server| {
            server.wipe()?;
            server.start()
        })
        .await;
    }

    /// Stops all its processes where they are: connections stay open, and nobody answers.
    pub async fn freeze(&self) {
        self.with(|server| {
            server.freeze();
            Ok(())
        })
        .await;
    }

    /// Lets it go on.
    pub async fn thaw(&self) {
        self.with(|server| {
            server.thaw();
            Ok(())
        })
        .await;
    }

    async fn with<T: Send + 'static>(&self, act: impl FnOnce(&mut Server<R>) -> Result<T, ServerError> + Send + 'static) -> T {
        let server = Arc::clone(&self.server);
        blocking(move || act(&mut server.lock())).await
    }
}

/// # Panics
/// When it fails: without the server the test cannot go on.
async fn blocking<T: Send + 'static>(act: impl FnOnce() -> Result<T, ServerError> + Send + 'static) -> T {
    let acted = tokio::task::spawn_blocking(act).await.unwrap_or_else(|error| panic!("a private server panicked: {error}"));
    acted.unwrap_or_else(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        panic!("a private server cannot be had: {error}{cause}")
    })
}

pub(super) fn programs() -> Programs {
    Programs::find(Path::new("/"), environment::path().as_deref())
}

/// The version of RabbitMQ that this run is about, if it is not the system's.
///
/// # Panics
/// When there is none where the run says that it is: the system's would be another version.
fn rabbitmq_root() -> Option<Root> {
    let directory = environment::variable("TEST_RABBITMQ_ROOT");
    let root = || {
        Root::at(Path::new(&directory)).unwrap_or_else(|| panic!("there is no RabbitMQ in `{directory}`, which TEST_RABBITMQ_ROOT names"))
    };
    (!directory.is_empty()).then(root)
}

fn fresh_name() -> String {
    format!("flotilla-{}", random_hex(6))
}

/// Where its files may be. A scratch directory will not do: the account that a server runs as may not enter it.
fn parents() -> Vec<PathBuf> {
    let name = fresh_name();
    [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")].map(|parent| parent.join(&name)).to_vec()
}
