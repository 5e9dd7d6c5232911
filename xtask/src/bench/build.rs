//! Where is the benchmark's program? Built in the release profile, with the roles that it starts, and named by cargo.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::workspace;

const NAME: &str = "core";
const BENCHMARK: [&str; 7] = ["build", "--release", "--message-format=json-render-diagnostics", "-p", "flotilla", "--bench", NAME];
/// In one build with the benchmark, so that nothing is compiled twice.
const ROLES: [&str; 7] = ["--bins", "-p", "producer", "-p", "scheduler", "-p", "webhooks-worker"];

/// Remembers where the program was.
const LAST: &str = "target/bench/program";

/// Builds it, and the roles if they are wanted.
pub fn program(with_roles: bool) -> Result<PathBuf> {
    let mut command = workspace::cargo();
    command.args(BENCHMARK);
    if with_roles {
        command.args(ROLES);
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("could not run cargo")?;
    if !output.status.success() {
        bail!("the benchmark could not be built");
    }
    let program = executable(&String::from_utf8_lossy(&output.stdout)).context("cargo did not say where the benchmark is")?;
    let last = workspace::root().join(LAST);
    let kept = std::fs::create_dir_all(workspace::root().join("target/bench")).and_then(|()| std::fs::write(&last, path_text(&program)));
    kept.with_context(|| format!("could not write `{}`", last.display()))?;
    Ok(program)
}

/// What was built last, whatever has been edited since.
pub fn built_before() -> Result<PathBuf> {
    let program = std::fs::read_to_string(workspace::root().join(LAST)).map(PathBuf::from).unwrap_or_default();
    if !program.is_file() {
        bail!("nothing was built before: leave out `--no-build`");
    }
    Ok(program)
}

fn path_text(path: &std::path::Path) -> String {
    path.to_string_lossy().into_owned()
}

fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_ours = |message: &Value| message["target"]["name"] == NAME && message["target"]["kind"] == serde_json::json!(["bench"]);
    messages.filter(is_ours).find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_what_cargo_names() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"core"},"executable":null}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"flotilla"},"executable":"/t/flotilla"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"kind":["bench"],"name":"core"},"executable":"/t/deps/core-1"}"#,
        );
        assert_eq!(executable(messages), Some(PathBuf::from("/t/deps/core-1")));
        assert_eq!(executable(""), None);
    }
}
