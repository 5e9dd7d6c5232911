//! What does a person ask `cargo xtask test` for? Turns its arguments into those of `cargo test`.

/// Comes first.
const NO_SERVICES: &str = "--no-services";

/// The arguments, split where `cargo test` splits them.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    starts_services: bool,
    cargo: Vec<String>,
    libtest: Vec<String>,
}

impl Arguments {
    /// `[--no-services] [--] [arguments of cargo test] [-- arguments of the test binaries]`.
    pub fn read(args: &[String]) -> Self {
        let ours = args.strip_prefix(&[NO_SERVICES.to_owned()]);
        let args = ours.unwrap_or(args);
        let args = args.strip_prefix(&["--".to_owned()]).unwrap_or(args);
        let mut halves = args.splitn(2, |arg| arg == "--").map(<[String]>::to_vec);
        let mut half = || halves.next().unwrap_or_default();
        Self { starts_services: ours.is_none(), cargo: half(), libtest: half() }
    }

    pub fn starts_services(&self) -> bool {
        self.starts_services
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
    fn packages_are_known_when_nothing_else_runs() {
        let packages = |line: &str| of(line).packages().map(|packages| packages.join(" "));
        assert_eq!(
            packages("-- -p producer --package=store --package domain -pkinds retry").as_deref(),
            Some("producer store domain kinds")
        );
        assert_eq!(packages(""), None);
        assert_eq!(packages("retry"), None);
        assert_eq!(packages("-p producer --workspace"), None);
        assert_eq!(packages("-p store-*"), None);
    }

    #[test]
    fn services_can_be_declined() {
        assert!(of("-- -p producer").starts_services());
        assert!(!of("--no-services").starts_services());
        assert_eq!(of("--no-services -- -p producer").run().join(" "), "test --no-fail-fast -p producer");
    }

    #[test]
    fn a_filter_and_arguments_of_the_tests_are_passed_on() {
        let expected = "test --workspace --no-fail-fast retry -- --nocapture";
        assert_eq!(of("-- retry -- --nocapture").run().join(" "), expected);
        assert_eq!(of("retry -- --nocapture").run().join(" "), expected);
    }
}
