//! What if a program is not installed? As root on Debian its package is installed, without starting anything; else a sentence says what to do.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use private_servers::{Programs, is_root};

use super::resource::Resource;
use crate::workspace;

/// A slow mirror takes minutes.
const APT_MAX: Duration = Duration::from_secs(900);
/// The programs by which scripts of packages start services. Ours come first on the path that `dpkg` gives to these scripts, so the
/// system's own policy (`/usr/sbin/policy-rc.d`) need not be touched.
const STARTERS: [&str; 3] = ["invoke-rc.d", "deb-systemd-invoke", "systemctl"];
/// `invoke-rc.d` says 0 for what the policy forbids; `systemctl is-active` must not say that a service runs.
const NO_START: &str =
    "#!/bin/sh\n# Packages that are installed for tests start no service.\ncase \"$0\" in *systemctl) exit 3 ;; esac\nexit 0\n";
/// One at a time: apt's lists, and our log.
static AT_WORK: Mutex<()> = Mutex::new(());
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is installed here, after having installed what of `wanted` was not and could be; and a sentence for each that is missing.
pub fn programs(wanted: &[Resource]) -> (Programs, Vec<String>) {
    let found = find();
    let missing: Vec<Resource> = wanted.iter().copied().filter(|resource| !resource.is_installed(&found)).collect();
    if missing.is_empty() {
        return (found, Vec::new());
    }
    let names: Vec<&str> = missing.iter().map(|resource| resource.package()).collect();
    let tried = may_install().then(|| install(&names));
    let found = find();
    let still = missing.into_iter().filter(|resource| !resource.is_installed(&found));
    let sentences = still.map(|resource| sentence(resource, tried.as_ref().and_then(|tried| tried.as_ref().err()))).collect();
    (found, sentences)
}

fn find() -> Programs {
    Programs::find(Path::new("/"), workspace::path().as_deref())
}

fn apt_get() -> Option<&'static Path> {
    Some(Path::new("/usr/bin/apt-get")).filter(|program| program.is_file())
}

fn sentence(resource: Resource, failure: Option<&anyhow::Error>) -> String {
    let package = resource.package();
    let failed = failure.map(|error| format!("installing it failed ({error:#}); ")).unwrap_or_default();
    let advice = match apt_get() {
        Some(_) => format!("install it: `apt-get install --no-install-recommends {package}`, as root"),
        None => format!("install it: {}", resource.otherwise()),
    };
    format!("{package} is not installed; {failed}{advice}")
}

/// Installs packages of Debian, as root.
pub fn install_packages(packages: &[&str]) -> Result<()> {
    if !may_install() {
        bail!("only root on Debian can have it installed");
    }
    install(packages)
}

fn may_install() -> bool {
    is_root() && apt_get().is_some()
}

fn install(packages: &[&str]) -> Result<()> {
    let _turn = AT_WORK.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = workspace::root().join("target/services");
    println!("installing {} (apt-get, log: target/services/install.log)", packages.join(", "));
    let path = path_without_starters(&directory.join("no-start"))?;
    let log = File::create(directory.join("install.log")).context("could not write target/services/install.log")?;
    // Old lists may do as well, so a failure here is told by the installation.
    drop(apt(&["update", "-qq"], &path, &log));
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend_from_slice(packages);
    apt(&arguments, &path, &log)
}

/// A path whose first directory has programs that start nothing.
fn path_without_starters(directory: &Path) -> Result<String> {
    std::fs::create_dir_all(directory).with_context(|| format!("could not create `{}`", directory.display()))?;
    for name in STARTERS {
        let program: PathBuf = directory.join(name);
        let written = std::fs::write(&program, NO_START);
        let allowed = written.and_then(|()| std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)));
        allowed.with_context(|| format!("could not write `{}`", program.display()))?;
    }
    Ok(format!("{}:{SYSTEM_PATH}", directory.display()))
}

fn apt(arguments: &[&str], path: &str, log: &File) -> Result<()> {
    let mut command = Command::new(apt_get().context("there is no apt-get")?);
    command.args(["-o", &format!("DPkg::Path={path}"), "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0"]).args(arguments);
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
    // A group of its own and no watch: Ctrl-C must not leave half of a package behind.
    let mut child = command.process_group(0).spawn().context("could not start apt-get")?;
    let (told, ended) = channel();
    std::thread::spawn(move || told.send(child.wait()));
    match ended.recv_timeout(APT_MAX) {
        Ok(status) if status.as_ref().is_ok_and(std::process::ExitStatus::success) => Ok(()),
        Ok(_) => bail!("apt-get {} failed, target/services/install.log says why", arguments[0]),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            bail!("apt-get did not end in {} minutes", APT_MAX.as_secs() / 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_packages_starts_nothing() {
        let directory = std::env::temp_dir().join(format!("xtask-starters-{}", std::process::id()));
        let path = path_without_starters(&directory).expect("written");
        let run = |script: &str| Command::new("/bin/sh").args(["-c", script]).env("PATH", &path).output().expect("runs");
        for starter in ["invoke-rc.d postgresql start", "deb-systemd-invoke start postgresql.service"] {
            let ran = run(starter);
            assert!(ran.status.success() && ran.stdout.is_empty() && ran.stderr.is_empty(), "{starter}: {ran:?}");
        }
        assert!(!run("systemctl is-active --quiet rabbitmq-server.service").status.success());
        assert!(run("command -v dpkg || command -v sh").status.success(), "everything else is as it was");
        std::fs::remove_dir_all(directory).expect("removed");
    }

    #[test]
    fn what_is_missing_is_said_with_a_remedy() {
        for resource in Resource::ALL {
            let text = sentence(resource, Some(&anyhow::anyhow!("no network")));
            assert!(
                text.starts_with(&format!("{} is not installed; installing it failed (no network); install it: ", resource.package())),
                "{text}"
            );
        }
    }
}
