//! Runs as text, reports as text: one row per thing that must not be counted wrongly.

use super::*;

const GOOD: &str = "     Running tests/it.rs (target/debug/deps/it-0f)\ntest contract::a::holds ... ok\ntest contract::b::holds ... ok\n\
     test c ... ok\ntest result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s\n";

fn binaries() -> Binaries {
    let message = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/store-sqlite#0.1.0","profile":{"test":true},"executable":"/t/it-0f"}"#;
    Binaries::read(std::iter::once(message.to_owned()))
}

fn part(output: &str, skipped: &[(&str, &str)], succeeded: bool) -> Ended {
    let mut part = Ended { name: "tests".to_owned(), succeeded, ..Ended::default() };
    output.lines().for_each(|line| part.tally.feed(line));
    let skip = |(test, resource): &(&str, &str)| Skip {
        binary: "it-0f".to_owned(),
        test: (*test).to_owned(),
        resource: (*resource).to_owned(),
        reason: "no server".to_owned(),
    };
    part.skips = skipped.iter().map(skip).collect();
    part
}

fn run(output: &str, skipped: &[(&str, &str)], succeeded: bool) -> Run {
    Run { parts: vec![part(output, skipped, succeeded)], ..Run::default() }
}

fn lines(run: &Run) -> (Vec<String>, bool) {
    let report = Report::new(run, &binaries());
    (report.to_string().lines().map(str::to_owned).collect(), report.is_good())
}

#[test]
fn a_good_run_counts_its_contract_cases() {
    let (lines, good) = lines(&run(GOOD, &[], true));
    assert!(good);
    assert_eq!(lines, ["contract store-sqlite: 2 cases passed", "3 passed, 0 failed, 0 skipped"]);
}

#[test]
fn a_skipped_test_is_not_a_passed_one_and_counts_once() {
    let (lines, good) = lines(&run(GOOD, &[("contract::a::holds", "postgres"), ("contract::a::holds", "rabbitmq")], true));
    assert!(good);
    assert_eq!(lines[0], "skipped store-sqlite contract::a::holds: postgres: no server");
    assert_eq!(lines[1..], ["contract store-sqlite: 1 cases passed, 1 skipped", "2 passed, 0 failed, 1 skipped"]);
}

#[test]
fn skips_of_unknown_tests_all_count() {
    let (lines, _) = lines(&run(GOOD, &[("", ""), ("", "")], true));
    assert_eq!(lines.last().map(String::as_str), Some("1 passed, 0 failed, 2 skipped"));
}

#[test]
fn a_test_that_skips_and_fails_has_failed() {
    let output = "     Running tests/it.rs (t/it-0f)\ntest a ... FAILED\n\
         test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s\n";
    let (lines, good) = lines(&run(output, &[("a", "postgres")], false));
    assert!(!good);
    assert_eq!(lines, ["0 passed, 1 failed, 0 skipped"]);
}

#[test]
fn a_required_resource_must_not_be_missing() {
    for (required, good) in [("postgres", false), ("all", false), ("rabbitmq", true)] {
        let run = Run { required: vec![required.to_owned()], ..run(GOOD, &[("c", "postgres")], true) };
        assert_eq!(Report::new(&run, &binaries()).is_good(), good, "{required}");
    }
}

#[test]
fn a_run_without_tests_is_bad() {
    let output = "     Running tests/it.rs (t/it-0f)\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.02s\n";
    let (lines, good) = lines(&run(output, &[], true));
    assert!(!good);
    assert_eq!(lines, ["error: no test ran", "0 passed, 0 failed, 0 skipped"]);
}

#[test]
fn a_failure_of_cargo_alone_is_bad() {
    let (lines, good) = lines(&run(GOOD, &[], false));
    assert!(!good);
    assert!(lines[1].starts_with("error: cargo failed"), "{lines:?}");
}

#[test]
fn a_dead_binary_is_a_failure_with_a_name() {
    let (lines, good) = lines(&run("     Running tests/it.rs (t/it-0f)\ntest c ... ok\n", &[], false));
    assert!(!good);
    assert_eq!(lines, ["error: store-sqlite ended before its tests did", "1 passed, 1 failed, 0 skipped"]);
}

#[test]
fn a_run_that_went_quiet_names_what_was_running() {
    let mut run = run("     Running tests/it.rs (t/it-0f)\ntest c ... ok\ntest d has been running for over 60 seconds\n", &[], false);
    run.parts[0].tally.is_stuck = true;
    let (lines, good) = lines(&run);
    assert!(!good);
    assert_eq!(lines[1], "error: nothing was said for 10 minutes, so store-sqlite was ended; running: d");
    assert_eq!(lines[2], "1 passed, 1 failed, 0 skipped");
}

#[test]
fn an_ignored_test_is_skipped_with_its_reason() {
    let output = "     Running tests/it.rs (t/it-0f)\ntest a ... ok\ntest b ... ignored, takes an hour\n\
         test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s\n";
    let (lines, good) = lines(&run(output, &[], true));
    assert!(good);
    assert_eq!(lines, ["skipped store-sqlite b: takes an hour", "1 passed, 0 failed, 1 skipped"]);
}

#[test]
fn parts_are_told_apart_and_added_up() {
    let version =
        Ended { name: "rabbitmq 4.3".to_owned(), label: Some("rabbitmq 4.3".to_owned()), ..part(GOOD, &[("c", "rabbitmq-4.3")], true) };
    let mut run = Run { parts: vec![part(GOOD, &[], true), version], required: Vec::new() };
    let (told, good) = lines(&run);
    assert!(good);
    let expected = [
        "skipped store-sqlite [rabbitmq 4.3] c: rabbitmq-4.3: no server",
        "contract store-sqlite: 2 cases passed",
        "contract store-sqlite [rabbitmq 4.3]: 2 cases passed",
        "tests: 3 passed, 0 failed, 0 skipped in 0 s",
        "rabbitmq 4.3: 2 passed, 0 failed, 1 skipped in 0 s",
        "5 passed, 0 failed, 1 skipped",
    ];
    assert_eq!(told, expected);
    run.required = vec!["rabbitmq-4.3".to_owned()];
    assert!(!lines(&run).1, "it was required");
}

#[test]
fn a_part_that_has_a_problem_makes_the_run_bad() {
    let mut run = run(GOOD, &[], true);
    run.parts[0].problems.push("no test of `a` ran".to_owned());
    assert_eq!((lines(&run).0[1].as_str(), lines(&run).1), ("error: no test of `a` ran", false));
}

#[test]
fn a_failed_build_says_so() {
    let report = Report::of_failed_build();
    assert!(!report.is_good());
    assert_eq!(report.to_string(), "error: the tests do not compile; none was run\n0 passed, 0 failed, 0 skipped");
}
