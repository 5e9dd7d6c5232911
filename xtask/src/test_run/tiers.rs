//! In which parts does a run go? First everything that is quick, then the fleet under faults, whose tests mostly wait for time to pass.

use anyhow::Result;

use super::arguments::Arguments;
use super::listing::Binaries;
use super::pass::{Ended, Step, Surroundings};

/// The tests of the failure matrix.
pub const FAULTS: (&str, &str) = ("chaos", "matrix");
pub const FAULTS_NAME: &str = "faults";
/// Rows wait for leases to end and for servers to come back: more of them go side by side than there are cores.
const FAULTS_AT_ONCE_MIN: usize = 4;

/// What is run by one call of cargo.
#[derive(Debug, PartialEq, Eq)]
struct Tier {
    name: &'static str,
    targets: Vec<String>,
    threads: usize,
}

/// Runs what was asked for, tier by tier.
pub fn run(arguments: &Arguments, binaries: &Binaries, surroundings: &Surroundings) -> Result<Vec<Ended>> {
    let run = |tier: Tier| surroundings.run(tier.name, vec![Step::cargo(arguments.run(&tier.targets))], tier.threads, |_| {});
    tiers(arguments, binaries).into_iter().map(run).collect()
}

fn tiers(arguments: &Arguments, binaries: &Binaries) -> Vec<Tier> {
    let (package, target) = FAULTS;
    let tests = |targets| Tier { name: "tests", targets, threads: threads() };
    // Who names binaries, or has chosen nothing of the matrix, gets one call of cargo.
    if arguments.names_targets() || binaries.tests(package, target).is_none() {
        return vec![tests(Vec::new())];
    }
    // Naming none would run all.
    let others = Some(binaries.all_but(package, target)).filter(|others| !others.is_empty());
    let mut tiers: Vec<Tier> = others.map(tests).into_iter().collect();
    if arguments.packages().is_none() && binaries.has_libraries() {
        // Cargo leaves them out when binaries are named.
        tiers.push(Tier { name: "documentation", targets: vec!["--doc".to_owned()], threads: threads() });
    }
    if !arguments.leaves_out_faults() {
        let targets = vec!["--test".to_owned(), target.to_owned()];
        tiers.push(Tier { name: FAULTS_NAME, targets, threads: faults_at_once() });
    }
    tiers
}

/// At least two, because with one thread libtest runs tests on `main` and a skip could not tell which test it is.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2))
}

pub fn faults_at_once() -> usize {
    threads().max(FAULTS_AT_ONCE_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(package: &str, kind: &str, target: &str) -> String {
        let (id, executable) = (format!("path+file:///w/{package}#0.1.0"), format!("/t/{target}-{package}"));
        serde_json::json!({"reason": "compiler-artifact", "package_id": id, "manifest_path": "/w/Cargo.toml", "profile": {"test": true},
            "target": {"kind": [kind], "name": target}, "executable": executable})
        .to_string()
    }

    fn of(line: &str, with_matrix: bool) -> Vec<(&'static str, String)> {
        let built = [message("a", "lib", "a"), message("a", "test", "it"), message("chaos", "test", "matrix")];
        told(line, built.into_iter().filter(|line| with_matrix || !line.contains("matrix")))
    }

    fn of_only_matrix(line: &str) -> Vec<(&'static str, String)> {
        told(line, std::iter::once(message("chaos", "test", "matrix")))
    }

    fn told(line: &str, built: impl Iterator<Item = String>) -> Vec<(&'static str, String)> {
        let arguments = Arguments::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).expect("understood");
        let binaries = Binaries::read(built);
        tiers(&arguments, &binaries).into_iter().map(|tier| (tier.name, tier.targets.join(" "))).collect()
    }

    #[test]
    fn the_matrix_comes_last_and_alone() {
        let (tests, doc) = (("tests", "--lib --test it".to_owned()), ("documentation", "--doc".to_owned()));
        let faults = ("faults", "--test matrix".to_owned());
        assert_eq!(of("", true), [tests.clone(), doc.clone(), faults.clone()]);
        assert_eq!(of("--no-faults", true), [tests.clone(), doc]);
        assert_eq!(of("-- -p chaos -p a", true), [tests, faults.clone()]);
        assert_eq!(of_only_matrix("-- -p chaos"), [faults]);
    }

    #[test]
    fn what_has_no_matrix_in_it_runs_in_one_go() {
        assert_eq!(of("-- -p a", false), [("tests", String::new())]);
        assert_eq!(of("-- -p chaos --test matrix", true), [("tests", String::new())]);
    }

    #[test]
    fn rows_go_side_by_side() {
        assert!(faults_at_once() >= FAULTS_AT_ONCE_MIN && threads() >= 2);
    }
}
