//! What could a bare program do? Builds the raw measurement of the peers' benchmark, which lies beside this repository or nowhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace;

/// Where the peers' benchmark is, from the root of this repository.
const PEERS: &str = "../shared/bench/peers/rs";
const PROGRAM: &str = "rawlimits";
/// Its lock file is kept without the address of the index.
const INDEX: &str = "@CRATES@";

/// The program, or why there is none: then its measures are skipped.
pub fn raw_limits() -> Result<PathBuf, String> {
    let source = workspace::root().join(PEERS);
    if !source.join("Cargo.toml").is_file() {
        return Err(format!("there is no {PEERS}"));
    }
    build(&source).map_err(|error| format!("{PEERS} could not be built: {error:#}"))
}

fn build(source: &Path) -> Result<PathBuf> {
    let place = workspace::root().join("target/bench/peers");
    let copy = place.join("rs");
    copy_tree(source, &copy)?;
    let lock = std::fs::read_to_string(source.join("Cargo.lock.in")).context("there is no Cargo.lock.in")?;
    write(&copy.join("Cargo.lock"), &lock.replace(INDEX, &index()?))?;
    // It lies below our workspace and is no part of it.
    let manifest = std::fs::read_to_string(source.join("Cargo.toml")).context("there is no Cargo.toml")?;
    write(&copy.join("Cargo.toml"), &format!("{manifest}\n[workspace]\n"))?;
    let target = place.join("target");
    let mut command: Command = workspace::cargo();
    command.args(["build", "--release", "--locked", "--quiet", "--bin", PROGRAM]).env("CARGO_TARGET_DIR", &target).current_dir(&copy);
    if !command.status().context("could not run cargo")?.success() {
        bail!("cargo failed");
    }
    Ok(target.join("release").join(PROGRAM))
}

/// Where this machine's cargo gets crates from, as our own lock file says.
fn index() -> Result<String> {
    let lock = std::fs::read_to_string(workspace::root().join("Cargo.lock")).context("there is no Cargo.lock")?;
    index_in(&lock).context("Cargo.lock names no index")
}

fn index_in(lock: &str) -> Option<String> {
    lock.lines().find_map(|line| line.strip_prefix("source = \"")?.strip_suffix('"').map(str::to_owned))
}

/// Copies what differs: a file that is written anew would be compiled anew.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("could not create `{}`", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("could not read `{}`", from.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_tree(&from, &to)?;
        } else if entry.file_name() != "Cargo.toml" {
            write(&to, &std::fs::read_to_string(&from).with_context(|| format!("could not read `{}`", from.display()))?)?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    std::fs::write(path, text).with_context(|| format!("could not write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_that_of_our_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\n\n[[package]]\nname = \"b\"\nsource = \"registry+https://index\"\n";
        assert_eq!(index_in(lock).as_deref(), Some("registry+https://index"));
        assert_eq!(index_in("version = 4\n"), None);
        assert!(index().is_ok());
    }

    #[test]
    fn what_is_the_same_is_not_written_again() {
        let directory = std::env::temp_dir().join(format!("xtask-peers-{}", std::process::id()));
        let (from, to) = (directory.join("from"), directory.join("to"));
        std::fs::create_dir_all(from.join("src")).expect("made");
        std::fs::write(from.join("src/main.rs"), "fn main() {}").expect("written");
        copy_tree(&from, &to).expect("copied");
        let written = || std::fs::metadata(to.join("src/main.rs")).and_then(|found| found.modified()).expect("there");
        let first = written();
        copy_tree(&from, &to).expect("copied");
        assert_eq!(written(), first);
        std::fs::write(from.join("src/main.rs"), "fn main() { }").expect("written");
        copy_tree(&from, &to).expect("copied");
        assert_eq!(std::fs::read_to_string(to.join("src/main.rs")).expect("there"), "fn main() { }");
        std::fs::remove_dir_all(directory).expect("removed");
    }
}
