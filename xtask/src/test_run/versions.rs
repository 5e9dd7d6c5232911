//! Does it hold on other versions of RabbitMQ, and with the other type of queues? What the broker itself promises is tested on each: its
//! contract, and what becomes of jobs when it restarts or loses its data.

use std::process::Command;
use std::thread::JoinHandle;

use anyhow::Result;
use private_servers::Root;

use super::listing::{Binaries, Binary};
use super::pass::{Ended, Step, Surroundings, with_classic_queues};
use super::skips::Skip;
use super::tally::{Outcome, Suite, Totals};
use super::tiers::{FAULTS, faults_at_once};
use crate::services::{self, Broker, Version};

/// Package, integration tests, and parts of the names of those that are run.
const SELECTION: [((&str, &str), &[&str]); 3] = [
    (("testkit", "servers"), &["of_the_version_of_the_run"]),
    (("broker-rabbitmq", "it"), &["contract::"]),
    (FAULTS, &["wiped_broker::", "broker_restart::"]),
];

/// A broker to run them on; the rest of the run has quorum queues on the first version.
#[derive(Debug, Clone, Copy)]
struct Variant {
    version: &'static str,
    classic: bool,
}
const VARIANTS: [Variant; 3] =
    [Variant { version: "3.10", classic: true }, Variant { version: "4.0", classic: false }, Variant { version: "4.3", classic: false }];

impl Variant {
    fn name(self) -> String {
        format!("rabbitmq {}{}", self.version, if self.classic { " classic" } else { "" })
    }
}

/// Roots on their way, while tests are built: what is there before takes no time.
pub struct LayingOut(JoinHandle<Vec<Result<Found, String>>>);

/// Where a version is.
#[derive(Debug, Clone)]
enum Found {
    /// The run's own server is of it.
    System,
    Root(Root),
}

impl LayingOut {
    pub fn begin() -> Self {
        Self(std::thread::spawn(|| VARIANTS.map(|variant| found(variant.version)).into()))
    }

    fn wait(self) -> Vec<Result<Found, String>> {
        self.0.join().unwrap_or_else(|_| VARIANTS.map(|_| Err("the thread that lays it out panicked".to_owned())).into())
    }
}

fn found(version: &str) -> Result<Found, String> {
    let found = Version::named(version).and_then(|version| match version.is_of_the_system() {
        true => Ok(Found::System),
        false => services::root(version).map(Found::Root),
    });
    found.map_err(|error| format!("{error:#}"))
}

/// Runs the selection on each variant; what cannot be had is skipped, test by test, with its reason.
pub fn run(laying_out: LayingOut, binaries: &Binaries, surroundings: &Surroundings) -> Result<Vec<Ended>> {
    let selected: Vec<(&Binary, &[&str])> =
        SELECTION.iter().filter_map(|((package, target), names)| Some((binaries.tests(package, target)?, *names))).collect();
    let run = |(variant, found): (Variant, Result<Found, String>)| {
        let mut ended = on(variant, found, &selected, surroundings)?;
        (ended.name, ended.label) = (variant.name(), Some(variant.name()));
        ended.problems = unmatched(&ended);
        Ok(ended)
    };
    VARIANTS.into_iter().zip(laying_out.wait()).map(run).collect()
}

fn on(variant: Variant, found: Result<Found, String>, selected: &[(&Binary, &[&str])], surroundings: &Surroundings) -> Result<Ended> {
    let broker = match found {
        Ok(Found::System) => Ok(None),
        Ok(Found::Root(root)) => Broker::start(&root).map(Some),
        Err(complaint) => Err(complaint),
    };
    let broker = match broker {
        Ok(broker) => broker,
        Err(complaint) => return skipped(variant, &complaint, selected),
    };
    println!("\n== {}", variant.name());
    let steps = selected.iter().map(|(binary, names)| Step::binary(binary, names)).collect();
    surroundings.run(&variant.name(), steps, faults_at_once(), |command| {
        broker.iter().for_each(|broker| broker.tell(command));
        if variant.classic {
            with_classic_queues(command);
        }
    })
}

/// Each test that would have run.
fn skipped(variant: Variant, complaint: &str, selected: &[(&Binary, &[&str])]) -> Result<Ended> {
    let resource = Version::named(variant.version)?.resource();
    let mut ended = Ended { succeeded: true, ..Ended::default() };
    for (binary, names) in selected {
        let listed = Command::new(&binary.executable).args(["--list", "--format", "terse"]).args(*names).output()?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let tests: Vec<String> = listed.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect();
        let skip = |test: &String| Skip {
            binary: binary.file_name(),
            test: test.clone(),
            resource: resource.clone(),
            reason: complaint.to_owned(),
        };
        ended.skips.extend(tests.iter().map(skip));
        let totals = Some(Totals { passed: tests.len(), ..Totals::default() });
        let tests = tests.into_iter().map(|test| (test, Outcome::Passed)).collect();
        ended.tally.suites.push(Suite { binary: binary.file_name(), tests, totals, ..Suite::default() });
    }
    Ok(ended)
}

/// A test that got another name must not be left out unnoticed.
fn unmatched(ended: &Ended) -> Vec<String> {
    let tests = || ended.tally.suites.iter().flat_map(|suite| suite.tests.iter());
    let names = SELECTION.iter().flat_map(|(_, names)| names.iter());
    let missing = names.filter(|name| !tests().any(|(test, _)| test.contains(**name)));
    missing.map(|name| format!("no test of `{name}` ran on {}", ended.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(tests: &[&str]) -> Ended {
        let tests = tests.iter().map(|test| ((*test).to_owned(), Outcome::Passed)).collect();
        let suite = Suite { tests, ..Suite::default() };
        Ended {
            name: "rabbitmq 4.3".to_owned(),
            tally: super::super::tally::Tally { suites: vec![suite], is_stuck: false },
            ..Ended::default()
        }
    }

    #[test]
    fn every_variant_is_a_version_that_is_known() {
        for variant in VARIANTS {
            assert!(Version::named(variant.version).is_ok(), "{}", variant.name());
        }
        assert_eq!(VARIANTS[0].name(), "rabbitmq 3.10 classic");
    }

    #[test]
    fn a_selection_that_selects_nothing_is_a_problem() {
        let rest = ["of_the_run::a_private_broker_is_of_the_version_of_the_run", "contract::a", "broker_restart::c"];
        assert!(unmatched(&ended(&[&rest[..], &["wiped_broker::b"]].concat())).is_empty());
        assert_eq!(unmatched(&ended(&rest)), ["no test of `wiped_broker::` ran on rabbitmq 4.3"]);
    }

    #[test]
    fn what_cannot_run_is_listed_and_skipped() {
        let binary = Binaries::read(std::iter::once(
            serde_json::json!({"reason": "compiler-artifact", "package_id": "path+file:///w/broker-rabbitmq#0.1.0", "manifest_path": "/w/Cargo.toml",
                "profile": {"test": true}, "target": {"kind": ["test"], "name": "it"}, "executable": std::env::current_exe().expect("us")})
            .to_string(),
        ));
        let binary = binary.tests("broker-rabbitmq", "it").expect("listed");
        let skipped = skipped(VARIANTS[2], "no mirror", &[(binary, &["what_cannot_run_is_listed"])]).expect("listed");
        assert_eq!(skipped.skips.len(), 1);
        assert_eq!((skipped.skips[0].resource.as_str(), skipped.skips[0].reason.as_str()), ("rabbitmq-4.3", "no mirror"));
    }
}
