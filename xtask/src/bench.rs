//! How fast is it? Builds the benchmark, starts servers for it, and runs it; the figures are the benchmark's business.

mod build;
mod peers;
mod servers;

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::child_group::ChildGroup;
use crate::workspace;
use servers::Servers;

const NO_BUILD: &str = "--no-build";

/// What to measure, and what the benchmark itself is told.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    engines: Vec<Engine>,
    /// `false`: what was built last is measured once more.
    build: bool,
    arguments: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    Embedded,
    Distributed,
}

/// Measures the named part.
pub fn run(args: &[String]) -> Result<ExitCode> {
    let wanted = Wanted::read(args)?;
    let mut outcome = ExitCode::SUCCESS;
    for engine in wanted.engines {
        let program = if wanted.build { build::program(engine == Engine::Distributed)? } else { build::built_before()? };
        let ran = match engine {
            Engine::Embedded => measure(Command::new(program).arg("embedded").args(&wanted.arguments))?,
            Engine::Distributed => {
                // Before the servers: the compiler and they would be in each other's way.
                let raw = peers::raw_limits();
                let servers = Servers::start(raw)?;
                measure(Command::new(program).arg("distributed").arg("--servers").arg(servers.file()).args(&wanted.arguments))?
            }
        };
        if !ran {
            outcome = ExitCode::FAILURE;
        }
    }
    Ok(outcome)
}

fn measure(command: &mut Command) -> Result<bool> {
    Ok(ChildGroup::spawn(command.current_dir(workspace::root()))?.wait()?.success())
}

impl Wanted {
    fn read(args: &[String]) -> Result<Self> {
        let Some((part, rest)) = args.split_first() else { bail!("say what to measure: `cargo xtask bench core`") };
        if part != "core" {
            bail!("there is no benchmark `{part}`; there is `core`");
        }
        let (engines, rest) = match rest.split_first().map(|(first, rest)| (first.as_str(), rest)) {
            Some(("embedded", rest)) => (vec![Engine::Embedded], rest),
            Some(("distributed", rest)) => (vec![Engine::Distributed], rest),
            _ => (vec![Engine::Embedded, Engine::Distributed], rest),
        };
        let rest = rest.strip_prefix(&["--".to_owned()]).unwrap_or(rest);
        let build = rest.iter().all(|argument| argument != NO_BUILD);
        Ok(Self { engines, build, arguments: rest.iter().filter(|argument| *argument != NO_BUILD).cloned().collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(line: &str) -> Result<(Vec<Engine>, String)> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Wanted::read(&args).map(|wanted| (wanted.engines, wanted.arguments.join(" ")))
    }

    #[test]
    fn arguments_reach_the_benchmark_with_and_without_a_separator() {
        let both = vec![Engine::Embedded, Engine::Distributed];
        assert_eq!(wanted("core --quick").expect("valid"), (both.clone(), "--quick".to_owned()));
        assert_eq!(wanted("core -- --quick").expect("valid"), (both.clone(), "--quick".to_owned()));
        assert_eq!(wanted("core").expect("valid"), (both, String::new()));
    }

    #[test]
    fn one_engine_can_be_named() {
        let distributed = (vec![Engine::Distributed], "--rounds 5".to_owned());
        assert_eq!(wanted("core distributed --rounds 5").expect("valid"), distributed);
        assert_eq!(wanted("core distributed -- --rounds 5").expect("valid"), distributed);
        assert_eq!(wanted("core embedded").expect("valid"), (vec![Engine::Embedded], String::new()));
    }

    #[test]
    fn what_was_built_can_be_measured_again() {
        let wanted = |line: [&str; 3]| Wanted::read(&line.map(str::to_owned)).expect("valid");
        assert!(wanted(["core", "embedded", "--quick"]).build);
        let again = wanted(["core", "--no-build", "--quick"]);
        assert!(!again.build);
        assert_eq!(again.arguments, ["--quick"]);
    }

    #[test]
    fn an_unknown_part_is_refused() {
        assert!(wanted("").is_err());
        assert!(wanted("edge").is_err());
    }
}
