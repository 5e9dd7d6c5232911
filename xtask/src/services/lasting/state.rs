//! What is known from one `services up` to the next? Which servers there are, where, and which processes they became.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use private_servers::{Kept, Postgres, RabbitMq, Recipe, Redis};
use serde::{Deserialize, Serialize};

use crate::workspace;

/// All servers of `services up`.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    pub postgres: Option<Entry<Postgres>>,
    pub rabbitmq: Option<Entry<RabbitMq>>,
    pub redis: Option<Entry<Redis>>,
}

/// One of them, running or not.
#[derive(Serialize, Deserialize)]
pub struct Entry<R> {
    pub recipe: R,
    pub kept: Option<Kept>,
}

/// `target/services`, held by one command at a time.
pub struct Place {
    directory: PathBuf,
    _lock: File,
}

impl Place {
    pub fn open() -> Result<Self> {
        Self::at(workspace::root().join("target/services"))
    }

    fn at(directory: PathBuf) -> Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o755).create(&directory);
        made.with_context(|| format!("could not create `{}`", directory.display()))?;
        let lock = File::create(directory.join("lock")).context("could not write target/services/lock")?;
        lock.try_lock().context("another `services` command is at work")?;
        Ok(Self { directory, _lock: lock })
    }

    /// Where servers may have their directories: below `target`, or where that is closed to the system users they run as.
    pub fn parents(&self) -> Vec<PathBuf> {
        let elsewhere = PathBuf::from("/var/tmp").join(format!("flotilla-services-{}", private_servers::random_hex(4)));
        vec![self.directory.join("up"), elsewhere]
    }

    pub fn read(&self) -> Result<State> {
        let path = self.state();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(State::default()),
            Err(error) => return Err(error).with_context(|| format!("could not read `{}`", path.display())),
        };
        // Its content has passwords in it, so nothing of it is said.
        serde_json::from_str(&text)
            .ok()
            .with_context(|| format!("`{}` is not understood; stop the servers by hand and remove it", path.display()))
    }

    pub fn write(&self, state: &State) -> Result<()> {
        write_private(&self.state(), &serde_json::to_string_pretty(state)?)
    }

    /// A file for `.` of a shell.
    pub fn write_environment(&self, variables: &[(&'static str, String)]) -> Result<()> {
        let lines: String = variables.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
        write_private(&self.directory.join("env"), &lines)
    }

    pub fn remove_environment(&self) -> Result<()> {
        remove(&self.directory.join("env"))
    }

    /// Removes everything that was written for these servers, which must not run.
    pub fn wipe(&self, state: &State) -> Result<()> {
        let homes = [
            state.postgres.as_ref().map(|entry| entry.recipe.home()),
            state.rabbitmq.as_ref().map(|entry| entry.recipe.home()),
            state.redis.as_ref().map(|entry| entry.recipe.home()),
        ];
        for directory in homes.into_iter().flatten().map(private_servers::Home::directory).filter(|directory| directory.exists()) {
            std::fs::remove_dir_all(directory).with_context(|| format!("could not remove `{}`", directory.display()))?;
            // The last one takes the directory of all along; before, it is not empty, which is no error.
            drop(directory.parent().map(std::fs::remove_dir));
        }
        remove(&self.state())
    }

    fn state(&self) -> PathBuf {
        self.directory.join("up.json")
    }
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not remove `{}`", path.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whole or not at all, and only for us: there are passwords in it.
fn write_private(path: &Path, text: &str) -> Result<()> {
    let fresh = path.with_extension("new");
    let written = remove(&fresh).and_then(|()| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        Ok(std::fs::rename(&fresh, path)?)
    });
    written.with_context(|| format!("could not write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_place_is_held_by_one_and_keeps_secrets() {
        let directory = std::env::temp_dir().join(format!("xtask-place-{}", std::process::id()));
        let place = Place::at(directory.clone()).expect("opened");
        assert!(Place::at(directory.clone()).is_err(), "held");
        assert!(place.read().expect("nothing yet").postgres.is_none());
        place.write(&State::default()).expect("written");
        place.write_environment(&[("A", "b".to_owned())]).expect("written");
        assert_eq!(std::fs::read_to_string(directory.join("env")).expect("there"), "export A='b'\n");
        for name in ["env", "up.json"] {
            assert_eq!(std::fs::metadata(directory.join(name)).expect("there").mode() & 0o777, 0o600, "{name}");
        }
        place.remove_environment().and_then(|()| place.wipe(&State::default())).expect("removed");
        drop(place);
        assert!(Place::at(directory.clone()).is_ok(), "free again");
        std::fs::remove_dir_all(directory).expect("removed");
    }
}
