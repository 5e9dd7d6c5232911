//! How does another version of RabbitMQ get here? As packages of the suite of Debian that has it, laid out in a folder of their own.
//!
//! `debootstrap` chooses, fetches and verifies them, and they are only unpacked: no script of a package runs, so nothing is started and
//! nothing of the machine is changed. What is laid out stays below `target`, for the next run.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use private_servers::{Root, is_root};

use super::install::install_packages;
use super::mirror::{PUBLIC, mirror};
use super::versions::Version;
use crate::child_group::ChildGroup;
use crate::workspace;

const DEBOOTSTRAP: &str = "/usr/sbin/debootstrap";
const PACKAGES: [&str; 2] = ["debootstrap", "debian-archive-keyring"];
/// A slow mirror takes minutes.
const FETCH_MAX: Duration = Duration::from_secs(600);
const UNPACK_MAX: Duration = Duration::from_secs(300);
const FETCHED: &str = "var/cache/apt/archives";
/// Has the directories that the others put their files into.
const FIRST: &str = "base-files_";
/// Of no use to a server.
const NOT_KEPT: [&str; 5] = [FETCHED, "debootstrap", "usr/share/doc", "usr/share/man", "usr/share/locale"];
/// Devices that programs take for granted: name, major, minor.
const DEVICES: [(&str, &str, &str); 3] = [("null", "1", "3"), ("random", "1", "8"), ("urandom", "1", "9")];
/// What scripts of packages would have written, as far as it is needed. `df` reads the last, and the broker reads `df`.
const FILES: [(&str, &str); 3] = [
    ("etc/hosts", "127.0.0.1 localhost\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
    ("proc/self/mountinfo", "1 1 0:1 / / rw - ext4 root rw\n"),
];

/// A root with this version, laid out now unless it was before.
pub fn root(version: Version) -> Result<Root> {
    let parent = workspace::root().join("target/services/roots");
    std::fs::create_dir_all(&parent).context("could not create `target/services/roots`")?;
    // Two runs at once must not make the same.
    let lock = File::create(parent.join("lock")).context("could not write `target/services/roots/lock`")?;
    lock.lock().context("could not lock `target/services/roots/lock`")?;
    let directory = parent.join(version.suite);
    if !directory.exists() {
        lay_out(version, &directory).with_context(|| format!("RabbitMQ {} could not be laid out", version.name))?;
    }
    match Root::at(&directory).filter(|root| version.is_in(root)) {
        Some(root) => Ok(root),
        None => bail!(
            "Debian's suite `{}` does not have RabbitMQ {} any more (target/services/roots/{})",
            version.suite,
            version.name,
            version.suite
        ),
    }
}

fn lay_out(version: Version, directory: &Path) -> Result<()> {
    if !is_root() {
        bail!("only root can run another version than the system's");
    }
    let suite = version.suite;
    println!("laying out RabbitMQ {} of Debian's `{suite}` (log: target/services/roots/{suite}.log)", version.name);
    let log = File::create(directory.with_extension("log")).context("could not write a log")?;
    if !Path::new(DEBOOTSTRAP).is_file() {
        install_packages(&PACKAGES)?;
    }
    // Whole or not at all: it has its name only when it is complete.
    let half = directory.with_extension("half");
    if half.exists() {
        std::fs::remove_dir_all(&half).context("could not remove what an earlier try left behind")?;
    }
    make(suite, &half, &log).with_context(|| format!("`target/services/roots/{suite}.log` says more"))?;
    std::fs::rename(&half, directory).context("could not give it its name")
}

fn make(suite: &str, root: &Path, log: &File) -> Result<()> {
    // A mirror that is good for the machine's own suite need not have others.
    fetch(suite, root, &mirror(), log).or_else(|_| fetch(suite, root, PUBLIC, log))?;
    for package in fetched(root)? {
        run(Command::new("dpkg-deb").arg("-x").arg(&package).arg(root), log, UNPACK_MAX)?;
    }
    for name in NOT_KEPT {
        std::fs::remove_dir_all(root.join(name)).or_else(absent).with_context(|| format!("could not remove `{name}`"))?;
    }
    for (name, text) in FILES {
        let path = root.join(name);
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, text));
        written.with_context(|| format!("could not write `{name}`"))?;
    }
    for (name, major, minor) in DEVICES {
        run(Command::new("mknod").args(["-m", "666"]).arg(root.join("dev").join(name)).args(["c", major, minor]), log, UNPACK_MAX)?;
    }
    Ok(())
}

fn fetch(suite: &str, root: &Path, mirror: &str, log: &File) -> Result<()> {
    let mut command = Command::new(DEBOOTSTRAP);
    command.args(["--variant=minbase", "--include=rabbitmq-server", "--download-only", suite]).arg(root).arg(mirror);
    run(command.envs(proxy().map(|proxy| ("http_proxy", proxy))), log, FETCH_MAX)
}

/// That of apt, which others do not read.
fn proxy() -> Option<String> {
    let said = Command::new("apt-config").args(["shell", "proxy", "Acquire::http::Proxy"]).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(said.stdout).ok()?;
    Some(text.trim().strip_prefix("proxy='")?.strip_suffix('\'')?.to_owned()).filter(|proxy| proxy.starts_with("http"))
}

fn fetched(root: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(root.join(FETCHED)).context("nothing was fetched")?.flatten().map(|entry| entry.path());
    let mut packages: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|extension| extension == "deb")).collect();
    let is_first = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(FIRST));
    packages.sort_by_key(|path| !is_first(path));
    Ok(packages)
}

fn absent(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn run(command: &mut Command, log: &File, within: Duration) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let ended = ChildGroup::spawn(command.stdout(log.try_clone()?).stderr(log.try_clone()?))?.wait_within(within)?;
    match ended {
        Some(status) if status.success() => Ok(()),
        Some(_) => bail!("`{program}` failed"),
        None => bail!("`{program}` did not end in {} minutes", within.as_secs() / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_directories_is_unpacked_first() {
        let root = std::env::temp_dir().join(format!("xtask-roots-{}", std::process::id()));
        std::fs::create_dir_all(root.join(FETCHED)).expect("made");
        for name in ["adduser_1_all.deb", "base-files_13_amd64.deb", "zlib_1_amd64.deb", "lock"] {
            std::fs::write(root.join(FETCHED).join(name), "").expect("written");
        }
        let packages = fetched(&root).expect("read");
        std::fs::remove_dir_all(&root).expect("removed");
        assert_eq!(packages.len(), 3);
        assert!(packages[0].ends_with("base-files_13_amd64.deb"), "{packages:?}");
    }
}
