//! How fast is it? Dispatches to the benchmark that measures one part; the figures are the benchmark's business.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::child_group::ChildGroup;
use crate::workspace;

/// Runs `cargo bench` for the named part.
pub fn run(args: &[String]) -> Result<ExitCode> {
    let arguments = cargo_arguments(args)?;
    let mut command = workspace::cargo();
    command.args(arguments);
    let status = ChildGroup::spawn(&mut command)?.wait()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn cargo_arguments(args: &[String]) -> Result<Vec<String>> {
    let Some((part, rest)) = args.split_first() else { bail!("say what to measure: `cargo xtask bench core`") };
    if part != "core" {
        bail!("there is no benchmark `{part}`; there is `core`");
    }
    let rest = rest.strip_prefix(&["--".to_owned()]).unwrap_or(rest);
    let fixed = ["bench", "-p", "flotilla", "--bench", "core", "--"].map(str::to_owned);
    Ok(fixed.into_iter().chain(rest.iter().cloned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Result<String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        cargo_arguments(&args).map(|args| args.join(" "))
    }

    #[test]
    fn arguments_reach_the_benchmark_with_and_without_a_separator() {
        let expected = "bench -p flotilla --bench core -- --jobs 10";
        assert_eq!(arguments("core --jobs 10").expect("valid"), expected);
        assert_eq!(arguments("core -- --jobs 10").expect("valid"), expected);
    }

    #[test]
    fn an_unknown_part_is_refused() {
        assert!(arguments("").is_err());
        assert!(arguments("edge").is_err());
    }
}
