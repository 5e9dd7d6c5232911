//! Which servers does one test run have? Fresh ones that start while the tests are built, and that end with the run, however it ends.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Result, anyhow};
use private_servers::{Extras, Postgres, Programs, RabbitMq, Recipe, Redis, Server, ServerError, Sweeper, random_hex};

use super::broker::{self, Source};
use super::install;
use super::resource::Resource;
use super::versions::Version;
use crate::workspace;

/// A port that was free may be taken a moment later; another try has other ports.
const TRIES: usize = 2;
const POSTGRES: [&str; 2] = ["max_connections = 400", "shared_buffers = 128MB"];
/// All that tests may be told besides a broker. What a person has set must not reach them: it names servers that are not fresh.
const VARIABLES: [&str; 3] = ["TEST_POSTGRES_URL", "TEST_REDIS_URL", "TEST_FAKETIME"];

/// What a run needs.
#[derive(Debug, Clone)]
pub struct Wish {
    pub resources: Vec<Resource>,
    /// Another RabbitMQ than the system's.
    pub rabbitmq: Option<Version>,
}

/// Servers on their way.
pub struct Starting(JoinHandle<Services>);

/// What a run has. Dropped, all of it ends.
#[derive(Default)]
pub struct Services {
    postgres: Option<Server<Postgres>>,
    rabbitmq: Option<Server<RabbitMq>>,
    redis: Option<Server<Redis>>,
    faketime: Option<PathBuf>,
    /// What could not be had, and why.
    complaints: Vec<String>,
    /// Which started, and how long that took.
    started: Vec<String>,
}

impl Starting {
    pub fn of(wish: Wish) -> Self {
        Self(std::thread::spawn(move || Services::start(&wish)))
    }

    pub fn wait(self) -> Result<Services> {
        self.0.join().map_err(|_| anyhow!("the thread that starts servers panicked"))
    }
}

impl Services {
    fn start(wish: &Wish) -> Self {
        if wish.resources.is_empty() {
            return Self::default();
        }
        let (programs, complaints) = install::programs(&wish.resources);
        let mut services = Self { complaints, faketime: programs.faketime.clone(), ..Self::default() };
        let is_wanted = wish.resources.contains(&Resource::Rabbitmq);
        let source = if is_wanted { Source::of(wish.rabbitmq, &programs) } else { Ok(None) };
        let source = source.unwrap_or_else(|complaint| {
            services.complaints.push(complaint);
            None
        });
        let parents = parents();
        let places = source.iter().flat_map(|source| source.places(&run_name(), &[])).chain(parents.clone()).collect::<Vec<_>>();
        match Sweeper::over(&places) {
            Ok(sweeper) => services.start_installed(wish, &programs, source, &parents, &Arc::new(sweeper)),
            Err(error) => services.complaints.push(told("servers", error)),
        }
        services
    }

    fn start_installed(&mut self, wish: &Wish, programs: &Programs, broker: Option<Source>, parents: &[PathBuf], sweeper: &Arc<Sweeper>) {
        let chosen = |resource, program: &Option<PathBuf>| program.clone().filter(|_| wish.resources.contains(&resource));
        let (postgres, redis) = (chosen(Resource::Postgres, &programs.postgres), chosen(Resource::Redis, &programs.redis));
        let extras = Extras { settings: POSTGRES.map(str::to_owned).to_vec(), files: Vec::new() };
        let (postgres, rabbitmq, redis) = std::thread::scope(|scope| {
            // At once: RabbitMQ takes longest, and mostly waits.
            let rabbitmq = scope.spawn(|| {
                let broker = broker?;
                Some(start(sweeper, || broker.plan(&run_name(), parents, RabbitMq::brisk(Extras::default()))))
            });
            let postgres = scope.spawn(|| postgres.map(|bin| start(sweeper, || Postgres::plan(&bin, parents, &[], extras.clone()))));
            let redis = scope.spawn(|| redis.map(|program| start(sweeper, || Redis::plan(&program, parents, Extras::default()))));
            (postgres.join(), rabbitmq.join(), redis.join())
        });
        self.postgres = self.take(postgres);
        self.rabbitmq = self.take(rabbitmq);
        self.redis = self.take(redis);
    }

    fn take<R: Recipe>(&mut self, ended: std::thread::Result<Option<Outcome<R>>>) -> Option<Server<R>> {
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
        for name in VARIABLES.into_iter().chain(broker::VARIABLES) {
            command.env_remove(name);
        }
        command.envs(self.variables());
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let postgres = self.postgres.iter().map(|server| ("TEST_POSTGRES_URL", server.recipe().url("postgres")));
        let rabbitmq = self.rabbitmq.iter().flat_map(|server| broker::variables(server.recipe()));
        let redis = self.redis.iter().map(|server| ("TEST_REDIS_URL", server.recipe().url()));
        let faketime = self.faketime.iter().map(|library| ("TEST_FAKETIME", library.display().to_string()));
        postgres.chain(rabbitmq).chain(redis).chain(faketime).collect()
    }

    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    pub fn started(&self) -> &[String] {
        &self.started
    }
}

/// A server with the seconds it took, or why there is none.
type Outcome<R> = Result<(Server<R>, f64), String>;

/// Starts one as planned, and once more as planned anew.
pub fn start<R: Recipe>(sweeper: &Arc<Sweeper>, plan: impl Fn() -> Result<R, ServerError>) -> Outcome<R> {
    let began = Instant::now();
    let launch = || {
        let mut server = Server::new(plan()?, Some(Arc::clone(sweeper)));
        // Of a first try that failed.
        server.wipe()?;
        server.start().map(|()| server)
    };
    let mut outcome = launch();
    for _ in 1..TRIES {
        outcome = outcome.or_else(|_| launch());
    }
    outcome.map(|server| (server, began.elapsed().as_secs_f64())).map_err(|error| told(R::NAME, error))
}

/// With its cause. No password is in it: they are in files and URLs, which no error prints.
fn told(name: &str, error: ServerError) -> String {
    format!("there is no {name} for this run: {:#}", anyhow::Error::new(error))
}

/// Of directories that are gone after this run.
pub fn run_name() -> String {
    format!("test-{}", std::process::id())
}

/// Below `target`, or where that is closed to the system users that servers run as.
fn parents() -> Vec<PathBuf> {
    let elsewhere = std::env::temp_dir().join(format!("flotilla-{}-{}", run_name(), random_hex(4)));
    vec![workspace::root().join("target/services").join(run_name()), elsewhere]
}
