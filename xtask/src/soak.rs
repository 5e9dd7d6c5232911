//! How long does the fleet stand up to faults that come at random? Builds all programs, and runs the one that breaks a fleet of the others.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::child_group::ChildGroup;
use crate::workspace;

const PROGRAM: &str = "chaos-soak";
/// With all others, so that nothing is compiled once more for a smaller selection. We are running.
const BUILD: [&str; 6] = ["build", "--workspace", "--exclude", "xtask", "--bins", "--message-format=json-render-diagnostics"];
const RELEASE: &str = "--release";

/// `[--release]`, and what the program understands.
pub fn run(args: &[String]) -> Result<ExitCode> {
    let (release, arguments): (Vec<&String>, Vec<&String>) = args.iter().filter(|arg| *arg != "--").partition(|arg| *arg == RELEASE);
    let program = built(!release.is_empty())?;
    let mut command = Command::new(program);
    // It asks for nothing: whoever runs it sees what it says, and ends it with us.
    let status = ChildGroup::spawn(command.args(arguments).current_dir(workspace::root()))?.wait()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

fn built(release: bool) -> Result<PathBuf> {
    let mut command = workspace::cargo();
    command.args(BUILD).args(release.then_some(RELEASE));
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("could not run cargo")?;
    if !output.status.success() {
        bail!("the programs could not be built");
    }
    executable(&String::from_utf8_lossy(&output.stdout)).with_context(|| format!("cargo did not say where `{PROGRAM}` is"))
}

fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs = messages.filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    programs.find(|program| program.file_name() == Path::new(PROGRAM).file_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_what_cargo_names() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","executable":null}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","executable":"/t/debug/chaos-worker"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","executable":"/t/debug/chaos-soak"}"#,
        );
        assert_eq!(executable(messages), Some(PathBuf::from("/t/debug/chaos-soak")));
        assert_eq!(executable(""), None);
    }
}
