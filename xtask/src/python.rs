//! Where does the Python of the tests come from? A virtual environment below `target`, made once for each list of packages.
//!
//! The list is pinned, so that a run of tomorrow tests what a run of today did. What cannot be had is a sentence, and the
//! tests that need it are skipped.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::child_group::ChildGroup;
use crate::{services, workspace};

/// The package whose tests run Python.
const NEEDED_BY: &str = "flotilla";
const PACKAGES: &str = "flotilla/tests/python/requirements.txt";
/// Tells the tests which Python to run.
pub const VARIABLE: &str = "TEST_PYTHON";
/// A slow index takes minutes.
const MAKING_MAX: Duration = Duration::from_secs(600);
/// Debian has this apart from Python itself.
const DEBIAN: [&str; 2] = ["python3", "python3-venv"];

/// The environment on its way.
pub struct Preparing(JoinHandle<Result<PathBuf>>);

impl Preparing {
    /// `None` when no test of these packages needs it.
    pub fn of(packages: Option<&[String]>) -> Option<Self> {
        let is_wanted = packages.is_none_or(|packages| packages.iter().any(|package| package == NEEDED_BY));
        is_wanted.then(|| Self(std::thread::spawn(prepare)))
    }

    /// The interpreter, or why there is none.
    pub fn wait(self) -> Result<PathBuf, String> {
        let ended = self.0.join().unwrap_or_else(|_| bail!("the thread that makes it panicked"));
        ended.map_err(|error| format!("there is no Python for this run: {error:#}"))
    }
}

fn prepare() -> Result<PathBuf> {
    let wanted = std::fs::read_to_string(workspace::root().join(PACKAGES)).with_context(|| format!("could not read `{PACKAGES}`"))?;
    let parent = workspace::root().join("target/python");
    std::fs::create_dir_all(&parent).context("could not create `target/python`")?;
    // Two runs at once must not make the same environment.
    let lock = File::create(parent.join("lock")).context("could not write `target/python/lock`")?;
    lock.lock().context("could not lock `target/python/lock`")?;
    let directory = parent.join(name_of(&wanted));
    let (python, made) = (directory.join("bin/python"), directory.join("made"));
    if !made.exists() {
        make(&directory, &parent.join("log")).with_context(|| "`target/python/log` says more".to_owned())?;
        std::fs::write(&made, "").context("could not say that the environment is made")?;
    }
    Ok(python)
}

/// Another list of packages has another environment.
fn name_of(wanted: &str) -> String {
    let mut hasher = DefaultHasher::new();
    wanted.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn make(directory: &Path, log: &Path) -> Result<()> {
    println!("making a Python environment with the packages of {PACKAGES} (log: target/python/log)");
    if directory.exists() {
        // Of a run that was interrupted.
        std::fs::remove_dir_all(directory).context("could not remove what an earlier try left behind")?;
    }
    let log = File::create(log).context("could not write `target/python/log`")?;
    let empty = || run(Command::new("python3").args(["-m", "venv"]).arg(directory), &log);
    if let Err(error) = empty() {
        services::install_packages(&DEBIAN).with_context(|| format!("{error:#}, and on Debian `{}` is needed", DEBIAN.join(" ")))?;
        empty()?;
    }
    let mut pip = Command::new(directory.join("bin/python"));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:", "--requirement"]);
    run(pip.arg(workspace::root().join(PACKAGES)), &log).context("could not install the packages")
}

fn run(command: &mut Command, log: &File) -> Result<()> {
    let group = ChildGroup::spawn(command.stdout(log.try_clone()?).stderr(log.try_clone()?))?;
    match group.wait_within(MAKING_MAX)? {
        Some(status) if status.success() => Ok(()),
        Some(_) => bail!("`{}` failed", command.get_program().display()),
        None => bail!("it did not end in {} minutes", MAKING_MAX.as_secs() / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_of_packages_has_an_environment_of_its_own() {
        assert_ne!(name_of("a==1\n"), name_of("a==2\n"));
        assert_eq!(name_of("a==1\n"), name_of("a==1\n"));
    }

    /// A run of tomorrow has the packages of today.
    #[test]
    fn every_package_is_pinned() {
        let list = std::fs::read_to_string(workspace::root().join(PACKAGES)).expect("there is a list");
        let packages: Vec<&str> = list.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).collect();
        assert!(!packages.is_empty() && packages.iter().all(|line| line.contains("==")), "{packages:?}");
    }

    #[test]
    fn only_tests_that_run_python_wait_for_it() {
        assert!(Preparing::of(Some(&["domain".to_owned()])).is_none());
    }

    #[test]
    fn a_step_that_fails_is_named() {
        let log = File::create(std::env::temp_dir().join(format!("xtask-python-{}", std::process::id()))).expect("writable");
        assert!(run(Command::new("sh").args(["-c", "exit 0"]), &log).is_ok());
        let error = run(Command::new("sh").args(["-c", "exit 1"]), &log).expect_err("failed");
        assert_eq!(error.to_string(), "`sh` failed");
    }
}
