//! What does a person ask `cargo xtask test` for? Turns its arguments into those of `cargo test`.

/// The arguments, split where `cargo test` splits them.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    cargo: Vec<String>,
    libtest: Vec<String>,
}

impl Arguments {
    /// `[--] [arguments of cargo test] [-- arguments of the test binaries]`.
    pub fn read(args: &[String]) -> Self {
        let args = args.strip_prefix(&["--".to_owned()]).unwrap_or(args);
        let mut halves = args.splitn(2, |arg| arg == "--").map(<[String]>::to_vec);
        Self { cargo: halves.next().unwrap_or_default(), libtest: halves.next().unwrap_or_default() }
    }

    /// Compiles only; artifacts are listed as JSON on standard output, errors rendered on standard error.
    pub fn build(&self) -> Vec<String> {
        self.cargo_test(&["--no-run", "--message-format=json-render-diagnostics"])
    }

    /// Runs everything, also after a failure: a run that stops early cannot be counted. Benches are not run.
    pub fn run(&self) -> Vec<String> {
        let mut arguments = self.cargo_test(&["--no-fail-fast"]);
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
mod tests {
    use super::*;

    fn of(line: &str) -> Arguments {
        Arguments::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn without_arguments_the_whole_workspace_runs() {
        assert_eq!(of("").run().join(" "), "test --workspace --no-fail-fast");
        assert_eq!(of("--").build().join(" "), "test --workspace --no-run --message-format=json-render-diagnostics");
    }

    #[test]
    fn a_named_package_replaces_the_workspace() {
        assert_eq!(of("-- -p producer").run().join(" "), "test --no-fail-fast -p producer");
        assert_eq!(of("--package=producer").run().join(" "), "test --no-fail-fast --package=producer");
    }

    #[test]
    fn a_filter_and_arguments_of_the_tests_are_passed_on() {
        let expected = "test --workspace --no-fail-fast retry -- --nocapture";
        assert_eq!(of("-- retry -- --nocapture").run().join(" "), expected);
        assert_eq!(of("retry -- --nocapture").run().join(" "), expected);
    }
}
