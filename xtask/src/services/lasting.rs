//! How does somebody work with real servers? `up` starts them once and leaves them running, `down` stops them; a file remembers which.

mod state;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use private_servers::{Extras, Postgres, Programs, RabbitMq, Recipe, Redis, Server};

use super::broker::{self, Source};
use super::install;
use super::resource::Resource;
use super::versions::Version;
use state::{Entry, Place, State};

/// What the product uses in PostgreSQL.
const DATABASE: &str = "flotilla";
/// The virtual host `/`, encoded.
const VHOST: &str = "%2F";
const POSTGRES: [&str; 2] = ["max_connections = 400", "shared_buffers = 256MB"];

/// What becomes of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    Stays,
    Goes,
}

/// The directory in a root.
const NAME: &str = "up";

/// Starts what does not run, and prints the URLs of all.
pub fn up(rabbitmq: Option<Version>) -> Result<ExitCode> {
    let place = Place::open()?;
    let mut state = place.read()?;
    let (programs, mut complaints) = install::programs(&Resource::SERVERS);
    let parents = place.parents();
    let settings = POSTGRES.map(str::to_owned).to_vec();
    if let Some(bin) = &programs.postgres {
        let plan = || Postgres::plan(bin, &parents, &[DATABASE], Extras { settings, files: Vec::new() });
        complaints.extend(raise(&mut state.postgres, plan).err());
        place.write(&state)?;
    }
    complaints.extend(raise_broker(&mut state.rabbitmq, rabbitmq, &programs, &parents).err());
    place.write(&state)?;
    if let Some(program) = &programs.redis {
        complaints.extend(raise(&mut state.redis, || Redis::plan(program, &parents, Extras::default())).err());
        place.write(&state)?;
    }
    let variables = variables(&state);
    place.write_environment(&variables)?;
    variables.iter().for_each(|(name, value)| println!("{name}={value}"));
    println!("\n`. target/services/env` sets these; `cargo xtask services down` stops the servers.");
    complaints.iter().for_each(|complaint| eprintln!("error: {complaint}"));
    Ok(if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Stops what runs.
pub fn down(data: Data) -> Result<ExitCode> {
    let place = Place::open()?;
    let mut state = place.read()?;
    lower(&mut state.rabbitmq)?;
    lower(&mut state.redis)?;
    lower(&mut state.postgres)?;
    place.write(&state)?;
    if data == Data::Goes {
        place.wipe(&state)?;
    }
    place.remove_environment()?;
    println!("no server of `services up` is running");
    Ok(ExitCode::SUCCESS)
}

/// One that is there already stays what it is: another version cannot read its data.
fn raise_broker(
    entry: &mut Option<Entry<RabbitMq>>,
    version: Option<Version>,
    programs: &Programs,
    parents: &[PathBuf],
) -> Result<(), String> {
    let is_other = |entry: &Entry<RabbitMq>, source: &Source| entry.recipe.root() != source.root();
    match (version, Source::of(version, programs)?, &entry) {
        (Some(version), Some(source), Some(there)) if is_other(there, &source) => {
            Err(format!("rabbitmq is there in another version than {}; `services down --wipe` removes it", version.name))
        }
        (_, Some(source), _) => raise(entry, || source.plan(NAME, parents, Extras::default())),
        (_, None, _) => Ok(()),
    }
}

/// Starts one as it was before, or as planned if there was none. The error is a sentence.
fn raise<R: Recipe>(entry: &mut Option<Entry<R>>, plan: impl FnOnce() -> Result<R, private_servers::ServerError>) -> Result<(), String> {
    if let Some((kept, recipe)) = entry.as_ref().and_then(|entry| Some((entry.kept?, &entry.recipe))) {
        if kept.is_running() {
            println!("{} is running already", R::NAME);
            return Ok(());
        }
        // Of a server that somebody else has ended, a part may be left.
        kept.stop(recipe).map_err(|error| format!("{} does not run: {:#}", R::NAME, anyhow::Error::new(error)))?;
    }
    println!("starting {}", R::NAME);
    let recipe = entry.take().map_or_else(plan, |entry| Ok(entry.recipe));
    let kept = recipe.and_then(|recipe| {
        let mut server = Server::new(recipe.clone(), None);
        // Remembered also when it fails: its directory is there by now.
        let entry = entry.insert(Entry { recipe, kept: None });
        server.start()?;
        entry.kept = Some(server.keep()?);
        Ok(())
    });
    kept.map_err(|error| format!("{} does not run: {:#}", R::NAME, anyhow::Error::new(error)))
}

fn lower<R: Recipe>(entry: &mut Option<Entry<R>>) -> Result<()> {
    let Some(entry) = entry else { return Ok(()) };
    let Some(kept) = entry.kept.take() else { return Ok(()) };
    println!("stopping {}", R::NAME);
    if let Err(error) = kept.stop(&entry.recipe) {
        entry.kept = Some(kept);
        bail!(error);
    }
    Ok(())
}

/// What is running, as the product and the tests are told.
fn variables(state: &State) -> Vec<(&'static str, String)> {
    let mut variables = Vec::new();
    if let Some(postgres) = running(&state.postgres) {
        variables.push(("FLOTILLA_DATABASE_URL", postgres.url(DATABASE)));
        variables.push(("TEST_POSTGRES_URL", postgres.url("postgres")));
    }
    if let Some(rabbitmq) = running(&state.rabbitmq) {
        variables.push(("FLOTILLA_BROKER_URL", format!("{}/{VHOST}", rabbitmq.url())));
        variables.extend(broker::variables(rabbitmq));
    }
    if let Some(redis) = running(&state.redis) {
        variables.push(("FLOTILLA_REDIS_URL", redis.url()));
        variables.push(("TEST_REDIS_URL", redis.url()));
    }
    variables
}

fn running<R>(entry: &Option<Entry<R>>) -> Option<&R> {
    entry.as_ref().filter(|entry| entry.kept.is_some()).map(|entry| &entry.recipe)
}
