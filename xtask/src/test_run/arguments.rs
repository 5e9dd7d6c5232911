//! What does a person ask `cargo xtask test` for? Turns its arguments into those of `cargo test`.

use anyhow::{Context, Result};

use crate::services::Version;

/// The arguments: ours first, then what `cargo test` gets, split where `cargo test` splits it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    no_services: bool,
    no_faults: bool,
    rabbitmq: Option<Version>,
    classic: bool,
    cargo: Vec<String>,
    libtest: Vec<String>,
}

impl Arguments {
    /// `[--no-services] [--no-faults] [--rabbitmq <version>] [--classic] [--] [arguments of cargo test] [-- arguments of the test binaries]`.
    pub fn read(args: &[String]) -> Result<Self> {
        let mut read = Self::default();
        let mut rest = args;
        while let Some((first, others)) = rest.split_first() {
            rest = others;
            match first.as_str() {
                "--no-services" => read.no_services = true,
                "--no-faults" => read.no_faults = true,
                "--classic" => read.classic = true,
                "--rabbitmq" => {
                    let (version, others) = others.split_first().context("say which version: `--rabbitmq 4.3`")?;
                    (read.rabbitmq, rest) = (Some(Version::named(version)?), others);
                }
                "--" => break,
                _ => {
                    rest = &args[args.len() - others.len() - 1..];
                    break;
                }
            }
        }
        let mut halves = rest.splitn(2, |arg| arg == "--").map(<[String]>::to_vec);
        (read.cargo, read.libtest) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
        Ok(read)
    }

    pub fn starts_services(&self) -> bool {
        !self.no_services
    }

    /// Whether the tier of faults is left out.
    pub fn leaves_out_faults(&self) -> bool {
        self.no_faults
    }

    /// The RabbitMQ to run on, if not the system's.
    pub fn rabbitmq(&self) -> Option<Version> {
        self.rabbitmq
    }

    /// Whether queues are to be classic ones.
    pub fn is_classic(&self) -> bool {
        self.classic
    }

    /// Whether this is the whole run, with nothing chosen.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// The packages by name, when nothing else is run.
    pub fn packages(&self) -> Option<Vec<String>> {
        let mut packages = Vec::new();
        let mut args = self.cargo.iter();
        while let Some(arg) = args.next() {
            let name = match arg.as_str() {
                "--workspace" | "--all" | "--manifest-path" => return None,
                "-p" | "--package" => args.next().cloned(),
                _ => arg.strip_prefix("--package=").or_else(|| arg.strip_prefix("-p")).map(str::to_owned),
            };
            packages.extend(name);
        }
        // A pattern or a URL is for cargo to understand.
        let are_names = packages.iter().all(|name| name.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_')));
        (are_names && !packages.is_empty()).then_some(packages)
    }

    /// Whether the person says which binaries to run. Then no others may be named to cargo: it would run both.
    pub fn names_targets(&self) -> bool {
        const EXACT: [&str; 12] = [
            "--lib",
            "--bin",
            "--bins",
            "--example",
            "--examples",
            "--test",
            "--tests",
            "--bench",
            "--benches",
            "--doc",
            "--all-targets",
            "--manifest-path",
        ];
        let is_target = |arg: &String| EXACT.contains(&arg.split_once('=').map_or(arg.as_str(), |(name, _)| name));
        self.cargo.iter().any(is_target)
    }

    /// Compiles only; artifacts are listed as JSON on standard output, errors rendered on standard error.
    pub fn build(&self) -> Vec<String> {
        self.cargo_test(&["--no-run", "--message-format=json-render-diagnostics"])
    }

    /// Runs everything, also after a failure: a run that stops early cannot be counted. Benches are not run. `targets` are options that
    /// name binaries, if not all of them are to run.
    pub fn run(&self, targets: &[String]) -> Vec<String> {
        let options: Vec<&str> = std::iter::once("--no-fail-fast").chain(targets.iter().map(String::as_str)).collect();
        let mut arguments = self.cargo_test(&options);
        if !self.libtest.is_empty() {
            arguments.push("--".to_owned());
            arguments.extend(self.libtest.iter().cloned());
        }
        arguments
    }

    fn cargo_test(&self, options: &[&str]) -> Vec<String> {
        let mut arguments = vec!["test".to_owned()];
        if !self.names_packages() {
            arguments.push("--workspace".to_owned());
        }
        arguments.extend(options.iter().map(|option| (*option).to_owned()));
        arguments.extend(self.cargo.iter().cloned());
        arguments
    }

    fn names_packages(&self) -> bool {
        let exact = ["-p", "--package", "--workspace", "--all", "--manifest-path"];
        self.cargo
            .iter()
            .any(|arg| exact.contains(&arg.as_str()) || arg.starts_with("--package=") || (arg.starts_with("-p") && !arg.starts_with("--")))
    }
}

#[cfg(test)]
mod tests;
