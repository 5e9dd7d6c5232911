//! Where is the workspace, and which cargo built us? The two facts every command starts from.
#![expect(clippy::disallowed_methods, reason = "cargo tells its tools where they are through the environment")]

use std::path::PathBuf;
use std::process::Command;

/// The workspace's root directory.
pub fn root() -> PathBuf {
    let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let xtask = PathBuf::from(manifest_dir);
    xtask.parent().map(PathBuf::from).unwrap_or(xtask)
}

/// The cargo that started us, run from the root: a second toolchain in the path must not answer instead.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Where programs are looked for.
pub fn path() -> Option<std::ffi::OsString> {
    std::env::var_os("PATH")
}

/// A variable that a person sets to steer a command; blank is the same as absent.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}
