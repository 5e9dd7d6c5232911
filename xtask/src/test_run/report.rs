//! What does a run amount to? Sums up what libtest said and what tests said about themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::listing::Binaries;
use super::skips::Skip;
use super::stream::QUIET_MAX;
use super::tally::{Outcome, Suite, Tally};

/// Part of the name of every case of a port's contract suite.
const CONTRACT: &str = "contract::";

/// Everything known about a run once it has ended.
#[derive(Debug, Default)]
pub struct Run {
    pub tally: Tally,
    pub skips: Vec<Skip>,
    /// Resources that must not be missing.
    pub required: Vec<String>,
    pub cargo_succeeded: bool,
}

/// What a person wants to know; its last line is `N passed, N failed, N skipped`.
#[derive(Debug, Default)]
pub struct Report {
    passed: usize,
    failed: usize,
    skipped: usize,
    skip_lines: Vec<String>,
    contract_lines: Vec<String>,
    /// Why the run is bad although perhaps nothing failed.
    problems: Vec<String>,
}

impl Report {
    /// Nothing ran, because something does not compile.
    pub fn of_failed_build() -> Self {
        Self { problems: vec!["the tests do not compile; none was run".to_owned()], ..Self::default() }
    }

    pub fn new(run: &Run, binaries: &Binaries) -> Self {
        let name = |binary: &str| binaries.package(binary).unwrap_or(binary).to_owned();
        let skips = counted_skips(run);
        let mut report = Self { contract_lines: contract_lines(&run.tally, &skips, name), ..Self::default() };
        for suite in &run.tally.suites {
            let counts = suite.counts();
            report.passed += counts.passed;
            report.failed += counts.failed;
            report.skipped += counts.ignored;
            report.skip_lines.extend(ignored_lines(suite, &name(&suite.binary)));
            if suite.totals.is_none() {
                report.problems.push(format!("{} ended before its tests did", name(&suite.binary)));
            }
        }
        report.passed = report.passed.saturating_sub(skips.len());
        report.skipped += skips.len();
        report.skip_lines.extend(skips.iter().map(|skip| skip_line(skip, &name(&skip.binary))));
        report.problems.extend(missing(&skips, &run.required));
        report.problems.extend(stuck(&run.tally, name));
        report.find_problems(run.cargo_succeeded);
        report
    }

    fn find_problems(&mut self, cargo_succeeded: bool) {
        if self.passed + self.failed == 0 {
            self.problems.push("no test ran".to_owned());
        }
        if !cargo_succeeded && self.failed == 0 {
            self.problems.push("cargo failed although no test did; its message is above".to_owned());
        }
    }

    pub fn is_good(&self) -> bool {
        self.failed == 0 && self.problems.is_empty()
    }
}

/// One per test that has not failed: a test may find two things missing, or break after it said that it cannot run.
fn counted_skips(run: &Run) -> Vec<&Skip> {
    let mut seen = BTreeSet::new();
    let failed = |skip: &Skip| run.tally.suites.iter().any(|suite| suite.binary == skip.binary && suite.failed(&skip.test));
    run.skips.iter().filter(|skip| !failed(skip) && (skip.test.is_empty() || seen.insert((&skip.binary, &skip.test)))).collect()
}

fn contract_lines(tally: &Tally, skips: &[&Skip], name: impl Fn(&str) -> String) -> Vec<String> {
    let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    for suite in &tally.suites {
        for (test, outcome) in suite.tests.iter().filter(|(test, _)| test.contains(CONTRACT)) {
            let skipped = skips.iter().any(|skip| skip.binary == suite.binary && skip.test == *test);
            let column = match outcome {
                Outcome::Passed if !skipped => 0,
                Outcome::Failed => 1,
                Outcome::Passed | Outcome::Ignored(_) => 2,
            };
            counts.entry(name(&suite.binary)).or_default()[column] += 1;
        }
    }
    let part = |count: usize, word: &str| if count == 0 { String::new() } else { format!(", {count} {word}") };
    let line = |(package, [passed, failed, skipped]): (String, [usize; 3])| {
        format!("contract {package}: {passed} cases passed{}{}", part(failed, "failed"), part(skipped, "skipped"))
    };
    counts.into_iter().map(line).collect()
}

fn ignored_lines(suite: &Suite, package: &str) -> Vec<String> {
    let line = |(test, outcome): &(String, Outcome)| match outcome {
        Outcome::Ignored(reason) => {
            Some(format!("skipped {package} {test}: {}", if reason.is_empty() { "ignored, no reason given" } else { reason }))
        }
        Outcome::Passed | Outcome::Failed => None,
    };
    suite.tests.iter().filter_map(line).collect()
}

fn skip_line(skip: &Skip, package: &str) -> String {
    let test = if skip.test.is_empty() { "a test" } else { &skip.test };
    let resource = if skip.resource.is_empty() { String::new() } else { format!("{}: ", skip.resource) };
    format!("skipped {package} {test}: {resource}{}", skip.reason)
}

/// Who was at work when the run had to be ended.
fn stuck(tally: &Tally, name: impl Fn(&str) -> String) -> Option<String> {
    let suite = tally.suites.last().filter(|_| tally.is_stuck)?;
    let tests = if suite.slow.is_empty() { "no test had been called slow".to_owned() } else { suite.slow.join(", ") };
    Some(format!("nothing was said for {} minutes, so {} was ended; running: {tests}", QUIET_MAX.as_secs() / 60, name(&suite.binary)))
}

fn missing(skips: &[&Skip], required: &[String]) -> Vec<String> {
    let is_required = |resource: &str| !resource.is_empty() && required.iter().any(|item| item == resource || item == "all");
    let resources: BTreeSet<&str> = skips.iter().map(|skip| skip.resource.as_str()).filter(|resource| is_required(resource)).collect();
    resources.iter().map(|resource| format!("tests were skipped for want of `{resource}`, which FLOTILLA_REQUIRE names")).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.skip_lines.iter().chain(&self.contract_lines).try_for_each(|line| writeln!(f, "{line}"))?;
        self.problems.iter().try_for_each(|problem| writeln!(f, "error: {problem}"))?;
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests;
