//! What does a run amount to? Sums up, part by part, what libtest said and what tests said about themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::listing::Binaries;
use super::pass::Ended;
use super::skips::Skip;
use super::stream::QUIET_MAX;
use super::tally::{Outcome, Suite, Tally, Totals};

/// Part of the name of every case of a port's contract suite.
const CONTRACT: &str = "contract::";

/// Everything known about a run once it has ended.
#[derive(Debug, Default)]
pub struct Run {
    pub parts: Vec<Ended>,
    /// Resources that must not be missing.
    pub required: Vec<String>,
}

/// What a person wants to know; its last line is `N passed, N failed, N skipped`.
#[derive(Debug, Default)]
pub struct Report {
    total: Totals,
    skip_lines: Vec<String>,
    contract_lines: Vec<String>,
    part_lines: Vec<String>,
    /// Why the run is bad although perhaps nothing failed.
    problems: Vec<String>,
}

impl Report {
    /// Nothing ran, because something does not compile.
    pub fn of_failed_build() -> Self {
        Self { problems: vec!["the tests do not compile; none was run".to_owned()], ..Self::default() }
    }

    pub fn new(run: &Run, binaries: &Binaries) -> Self {
        let mut report = Self::default();
        let mut missed = Vec::new();
        for part in &run.parts {
            missed.extend(report.add(part, binaries));
        }
        report.problems.extend(missing(&missed, &run.required));
        if report.total.passed + report.total.failed == 0 {
            report.problems.push("no test ran".to_owned());
        }
        // One part is the whole run, and the last line says it all.
        report.part_lines.truncate(if run.parts.len() > 1 { usize::MAX } else { 0 });
        report
    }

    /// Adds up one part, and returns what its tests were skipped for.
    fn add<'a>(&mut self, part: &'a Ended, binaries: &Binaries) -> Vec<&'a Skip> {
        let label = part.label.as_ref().map(|label| format!(" [{label}]")).unwrap_or_default();
        let name = |binary: &str| format!("{}{label}", binaries.package(binary).unwrap_or(binary));
        let skips = counted_skips(part);
        let mut total = Totals::default();
        for suite in &part.tally.suites {
            let counts = suite.counts();
            total.passed += counts.passed;
            total.failed += counts.failed;
            total.ignored += counts.ignored;
            self.skip_lines.extend(ignored_lines(suite, &name(&suite.binary)));
            if suite.totals.is_none() {
                self.problems.push(format!("{} ended before its tests did", name(&suite.binary)));
            }
        }
        total.passed = total.passed.saturating_sub(skips.len());
        total.ignored += skips.len();
        self.contract_lines.extend(contract_lines(&part.tally, &skips, name));
        self.skip_lines.extend(skips.iter().map(|skip| skip_line(skip, &name(&skip.binary))));
        self.problems.extend(stuck(&part.tally, name));
        self.problems.extend(part.problems.iter().cloned());
        if !part.succeeded && total.failed == 0 {
            self.problems.push("cargo failed although no test did; its message is above".to_owned());
        }
        self.part_lines.push(format!("{}: {} in {} s", part.name, counted(total), part.took.as_secs()));
        self.total.passed += total.passed;
        self.total.failed += total.failed;
        self.total.ignored += total.ignored;
        skips
    }

    pub fn is_good(&self) -> bool {
        self.total.failed == 0 && self.problems.is_empty()
    }
}

fn counted(total: Totals) -> String {
    format!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.ignored)
}

/// One per test that has not failed: a test may find two things missing, or break after it said that it cannot run.
fn counted_skips(part: &Ended) -> Vec<&Skip> {
    let mut seen = BTreeSet::new();
    let failed = |skip: &Skip| part.tally.suites.iter().any(|suite| suite.binary == skip.binary && suite.failed(&skip.test));
    part.skips.iter().filter(|skip| !failed(skip) && (skip.test.is_empty() || seen.insert((&skip.binary, &skip.test)))).collect()
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
        let lines = self.skip_lines.iter().chain(&self.contract_lines).chain(&self.part_lines);
        lines.into_iter().try_for_each(|line| writeln!(f, "{line}"))?;
        self.problems.iter().try_for_each(|problem| writeln!(f, "error: {problem}"))?;
        f.write_str(&counted(self.total))
    }
}

#[cfg(test)]
mod tests;
