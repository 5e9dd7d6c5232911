//! Which RabbitMQ is started: that of the system, or another version in a root of its own?

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use private_servers::{Extras, Programs, RabbitMq, Root, Server, ServerError, Sweeper};

use super::roots;
use super::throw_away::{run_name, start};
use super::versions::Version;

/// What tests are told of a broker.
pub const VARIABLES: [&str; 3] = ["TEST_RABBITMQ_URL", "TEST_RABBITMQ_ADMIN", "TEST_RABBITMQ_ROOT"];

/// Where a RabbitMQ is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The script of what is installed.
    System(PathBuf),
    Root(Root),
}

impl Source {
    /// That of the system serves when it is of the version, or when none is asked for; `None`: it is not installed. Otherwise a root is
    /// laid out, which takes a while.
    pub fn of(version: Option<Version>, programs: &Programs) -> Result<Option<Self>, String> {
        match version.filter(|version| !version.is_of_the_system()) {
            None => Ok(programs.rabbitmq.clone().map(Self::System)),
            Some(version) => match roots::root(version) {
                Ok(root) => Ok(Some(Self::Root(root))),
                Err(error) => Err(format!("there is no RabbitMQ {}: {error:#}", version.name)),
            },
        }
    }

    /// Where its files can be; `name` is that of the directory in a root.
    pub fn places(&self, name: &str, parents: &[PathBuf]) -> Vec<PathBuf> {
        match self {
            Self::System(_) => parents.to_vec(),
            Self::Root(root) => vec![root.parent(name)],
        }
    }

    pub fn plan(&self, name: &str, parents: &[PathBuf], extras: Extras) -> Result<RabbitMq, ServerError> {
        match self {
            Self::System(script) => RabbitMq::plan(script, parents, extras),
            Self::Root(root) => RabbitMq::plan_in(root, name, extras),
        }
    }

    pub fn root(&self) -> Option<&Root> {
        match self {
            Self::System(_) => None,
            Self::Root(root) => Some(root),
        }
    }
}

/// For tests: its URLs, and where those find the same version that start one of their own.
pub fn variables(recipe: &RabbitMq) -> Vec<(&'static str, String)> {
    let root = recipe.root().map(|root| root.directory().display().to_string());
    let values = [Some(recipe.url()), Some(recipe.admin_url()), root];
    VARIABLES.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Another version, for a part of a run. Dropped, it ends.
pub struct Broker(Server<RabbitMq>);

impl Broker {
    /// Starts it in its root.
    pub fn start(root: &Root) -> Result<Self, String> {
        let (source, name) = (Source::Root(root.clone()), run_name());
        let sweeper = Sweeper::over(&source.places(&name, &[])).map_err(|error| error.to_string())?;
        let plan = || source.plan(&name, &[], RabbitMq::brisk(Extras::default()));
        start(&Arc::new(sweeper), plan).map(|(server, _)| Self(server))
    }

    /// Lets tests know of it, and of no other.
    pub fn tell(&self, command: &mut Command) {
        for name in VARIABLES {
            command.env_remove(name);
        }
        command.envs(variables(self.0.recipe()));
    }
}
