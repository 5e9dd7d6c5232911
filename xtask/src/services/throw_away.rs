//! Which servers does one test run have? Fresh ones that start while the tests are built, and that end with the run, however it ends.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Result, anyhow};
use private_servers::{Extras, Postgres, Programs, RabbitMq, Recipe, Redis, Server, ServerError, Sweeper, random_hex};

use super::install;
use super::resource::Resource;
use crate::workspace;

/// A port that was free may be taken a moment later; another try has other ports.
const TRIES: usize = 2;
const POSTGRES: [&str; 2] = ["max_connections = 400", "shared_buffers = 128MB"];
/// All that tests may be told. What a person has set must not reach them: it names servers that are not fresh.
const VARIABLES: [&str; 4] = ["TEST_POSTGRES_URL", "TEST_RABBITMQ_URL", "TEST_RABBITMQ_ADMIN", "TEST_REDIS_URL"];

/// Servers on their way.
pub struct Starting(JoinHandle<Services>);

/// What a run has. Dropped, all of it ends.
#[derive(Default)]
pub struct Services {
    postgres: Option<Server<Postgres>>,
    rabbitmq: Option<Server<RabbitMq>>,
    redis: Option<Server<Redis>>,
    /// What could not be had, and why.
    complaints: Vec<String>,
    /// Which started, and how long that took.
    started: Vec<String>,
}

impl Starting {
    pub fn of(wanted: Vec<Resource>) -> Self {
        Self(std::thread::spawn(move || Services::start(&wanted)))
    }

    pub fn wait(self) -> Result<Services> {
        self.0.join().map_err(|_| anyhow!("the thread that starts servers panicked"))
    }
}

impl Services {
    fn start(wanted: &[Resource]) -> Self {
        if wanted.is_empty() {
            return Self::default();
        }
        let (programs, complaints) = install::programs(wanted);
        let mut services = Self { complaints, ..Self::default() };
        let parents = parents();
        match Sweeper::over(&parents) {
            Ok(sweeper) => services.start_installed(wanted, &programs, &parents, &Arc::new(sweeper)),
            Err(error) => services.complaints.push(told("servers", error)),
        }
        services
    }

    fn start_installed(&mut self, wanted: &[Resource], programs: &Programs, parents: &[PathBuf], sweeper: &Arc<Sweeper>) {
        let chosen = |resource, program: &Option<PathBuf>| program.clone().filter(|_| wanted.contains(&resource));
        let postgres = chosen(Resource::Postgres, &programs.postgres);
        let rabbitmq = chosen(Resource::Rabbitmq, &programs.rabbitmq);
        let redis = chosen(Resource::Redis, &programs.redis);
        let extras = Extras { settings: POSTGRES.map(str::to_owned).to_vec(), files: Vec::new() };
        let (postgres, rabbitmq, redis) = std::thread::scope(|scope| {
            // At once: RabbitMQ takes longest, and mostly waits.
            let rabbitmq =
                scope.spawn(|| start(rabbitmq, sweeper, |script| RabbitMq::plan(script, parents, RabbitMq::brisk(Extras::default()))));
            let postgres = scope.spawn(|| start(postgres, sweeper, |bin| Postgres::plan(bin, parents, &[], extras.clone())));
            let redis = scope.spawn(|| start(redis, sweeper, |program| Redis::plan(program, parents, Extras::default())));
            (postgres.join(), rabbitmq.join(), redis.join())
        });
        self.postgres = self.take(postgres);
        self.rabbitmq = self.take(rabbitmq);
        self.redis = self.take(redis);
    }

    fn take<R: Recipe>(&mut self, ended: std::thread::Result<Outcome<R>>) -> Option<Server<R>> {
        match ended.unwrap_or_else(|_| Some(Err(format!("the thread that starts {} panicked", R::NAME))))? {
            Ok((server, secs)) => {
                self.started.push(format!("{} in {secs:.1} s", R::NAME));
                Some(server)
            }
            Err(complaint) => {
                self.complaints.push(complaint);
                None
            }
        }
    }

    /// Lets tests know of them, and of no others.
    pub fn tell(&self, command: &mut Command) {
        for name in VARIABLES {
            command.env_remove(name);
        }
        command.envs(self.variables());
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let postgres = self.postgres.iter().map(|server| ("TEST_POSTGRES_URL", server.recipe().url("postgres")));
        let rabbitmq = self
            .rabbitmq
            .iter()
            .flat_map(|server| [("TEST_RABBITMQ_URL", server.recipe().url()), ("TEST_RABBITMQ_ADMIN", server.recipe().admin_url())]);
        let redis = self.redis.iter().map(|server| ("TEST_REDIS_URL", server.recipe().url()));
        postgres.chain(rabbitmq).chain(redis).collect()
    }

    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    pub fn started(&self) -> &[String] {
        &self.started
    }
}

/// A server with the seconds it took, or why there is none; `None` when nobody wants it or it is not installed.
type Outcome<R> = Option<Result<(Server<R>, f64), String>>;

fn start<R: Recipe>(program: Option<PathBuf>, sweeper: &Arc<Sweeper>, plan: impl Fn(&Path) -> Result<R, ServerError>) -> Outcome<R> {
    let program = program?;
    let began = Instant::now();
    let launch = || {
        let mut server = Server::new(plan(&program)?, Some(Arc::clone(sweeper)));
        // Of a first try that failed.
        server.wipe()?;
        server.start().map(|()| server)
    };
    let mut outcome = launch();
    for _ in 1..TRIES {
        outcome = outcome.or_else(|_| launch());
    }
    Some(outcome.map(|server| (server, began.elapsed().as_secs_f64())).map_err(|error| told(R::NAME, error)))
}

/// With its cause. No password is in it: they are in files and URLs, which no error prints.
fn told(name: &str, error: ServerError) -> String {
    format!("there is no {name} for this run: {:#}", anyhow::Error::new(error))
}

/// Below `target`, or where that is closed to the system users that servers run as.
fn parents() -> Vec<PathBuf> {
    let run = std::process::id();
    let elsewhere = std::env::temp_dir().join(format!("flotilla-test-{run}-{}", random_hex(4)));
    vec![workspace::root().join(format!("target/services/test-{run}")), elsewhere]
}
