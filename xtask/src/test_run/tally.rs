//! What did libtest say? Reads the output of `cargo test` line by line.
//!
//! Totals come from libtest's closing line of each binary, names from its line per test: what a test's own
//! children print may end up in the middle of the latter.

/// How one test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed,
    Ignored(String),
}

/// The closing line of one binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub passed: usize,
    pub failed: usize,
    pub ignored: usize,
}

/// One test binary, or the documentation tests of one crate.
#[derive(Debug, Default)]
pub struct Suite {
    /// File name of the binary, or `doc-tests <crate>`.
    pub binary: String,
    pub tests: Vec<(String, Outcome)>,
    /// Tests that libtest has called slow and that have not ended since.
    pub slow: Vec<String>,
    /// Absent when the binary died before it could say.
    pub totals: Option<Totals>,
}

/// Everything that ran.
#[derive(Debug, Default)]
pub struct Tally {
    pub suites: Vec<Suite>,
    /// The run was ended because it said nothing any more.
    pub is_stuck: bool,
}

impl Suite {
    /// The totals; a binary that died counts as one more failure, for the test that took it down.
    pub fn counts(&self) -> Totals {
        let count = |wanted: fn(&Outcome) -> bool| self.tests.iter().filter(|(_, outcome)| wanted(outcome)).count();
        self.totals.unwrap_or_else(|| Totals {
            passed: count(|outcome| *outcome == Outcome::Passed),
            failed: count(|outcome| *outcome == Outcome::Failed) + 1,
            ignored: count(|outcome| matches!(outcome, Outcome::Ignored(_))),
        })
    }

    pub fn failed(&self, test: &str) -> bool {
        self.tests.iter().any(|(name, outcome)| name == test && *outcome == Outcome::Failed)
    }
}

impl Tally {
    /// Takes what ran afterwards along.
    pub fn extend(&mut self, later: Self) {
        self.suites.extend(later.suites);
        self.is_stuck |= later.is_stuck;
    }

    /// Takes one line of output, without its end.
    pub fn feed(&mut self, line: &str) {
        if let Some(binary) = started(line) {
            self.suites.push(Suite { binary, ..Suite::default() });
            return;
        }
        let Some(suite) = self.suites.last_mut().filter(|suite| suite.totals.is_none()) else { return };
        if let Some(totals) = totals(line) {
            suite.totals = Some(totals);
        } else if let Some(test) = test(line) {
            suite.slow.retain(|slow| *slow != test.0);
            suite.tests.push(test);
        } else if let Some(slow) = slow(line) {
            suite.slow.push(slow);
        }
    }
}

/// `Running unittests src/lib.rs (target/debug/deps/domain-0f)` or `Doc-tests domain`, as cargo prints them.
fn started(line: &str) -> Option<String> {
    let line = line.strip_prefix("   ")?.trim_start();
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(format!("doc-tests {name}"));
    }
    let (_, path) = line.strip_prefix("Running ")?.rsplit_once('(')?;
    Some(file_name(path.strip_suffix(')')?))
}

/// The last part of a path.
pub fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`.
fn totals(line: &str) -> Option<Totals> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |word: &str| counts.split("; ").find_map(|item| item.trim().strip_suffix(word)?.trim().parse().ok());
    Some(Totals { passed: number("passed")?, failed: number("failed")?, ignored: number("ignored")? })
}

/// `test a::b has been running for over 60 seconds`.
fn slow(line: &str) -> Option<String> {
    let (name, _) = line.strip_prefix("test ")?.split_once(" has been running for over ")?;
    Some(name.strip_suffix(" - should panic").unwrap_or(name).to_owned())
}

/// `test a::b ... ok`, `… - should panic ... ok`, `… FAILED`, `… ignored, reason`, each perhaps with a time after it.
fn test(line: &str) -> Option<(String, Outcome)> {
    let (name, end) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    let outcome = match end.split_once(", ").unwrap_or((end, "")) {
        ("ignored", reason) => Outcome::Ignored(reason.to_owned()),
        _ if end == "ok" || end.starts_with("ok ") => Outcome::Passed,
        _ if end.starts_with("FAILED") => Outcome::Failed,
        _ => return None,
    };
    Some((name.to_owned(), outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(output: &str) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.feed(line));
        tally
    }

    #[test]
    fn a_suite_is_read_with_names_and_totals() {
        let output = "     Running tests/it/main.rs (target/debug/deps/it-0f)\n\nrunning 3 tests\ntest a::b ... ok\n\
             test a::c - should panic ... FAILED\ntest a::d ... ignored, needs a server, really\n\n\
             test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s\n";
        let suite = &tally(output).suites[0];
        assert_eq!(suite.binary, "it-0f");
        assert_eq!(suite.totals, Some(Totals { passed: 1, failed: 1, ignored: 1 }));
        assert!(suite.failed("a::c"));
        assert_eq!(suite.tests[2], ("a::d".to_owned(), Outcome::Ignored("needs a server, really".to_owned())));
    }

    #[test]
    fn slow_tests_are_known_until_they_end() {
        let output = "     Running tests/it/main.rs (t/it-0f)\ntest a has been running for over 60 seconds\n\
             test b - should panic has been running for over 60 seconds\ntest a ... ok\n";
        assert_eq!(tally(output).suites[0].slow, ["b"]);
    }

    #[test]
    fn totals_count_tests_whose_line_was_torn() {
        let output = "     Running unittests src/lib.rs (target/debug/deps/domain-0f)\ntest a ... a child speaks\nok\n\
             test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s\n";
        assert_eq!(tally(output).suites[0].counts(), Totals { passed: 1, ..Totals::default() });
    }

    #[test]
    fn a_binary_that_dies_is_a_failure() {
        let output = "     Running unittests src/lib.rs (target/debug/deps/domain-0f)\ntest a ... ok\n   Doc-tests domain\n";
        let tally = tally(output);
        assert_eq!(tally.suites[0].counts(), Totals { passed: 1, failed: 1, ignored: 0 });
        assert_eq!(tally.suites[1].binary, "doc-tests domain");
    }

    #[test]
    fn lines_before_the_first_suite_and_after_its_end_are_noise() {
        let closing = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s";
        let output = format!("{closing}\n     Running unittests src/lib.rs (t/a-0f)\n{closing}\n{closing}\ntest b ... FAILED\n");
        let tally = tally(&output);
        assert_eq!(tally.suites.len(), 1);
        assert_eq!(tally.suites[0].counts(), Totals { passed: 1, ..Totals::default() });
    }
}
