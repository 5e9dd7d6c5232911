//! Rule `codes`: whatever code a person can be shown leads to a sentence in the documents that says what to do.

use std::collections::BTreeMap;

use super::Violation;
use super::checkout::File;
use super::rust_text::{line_of, test_regions, words};

const RULE: &str = "codes";
/// Where refusals are worded.
const PROBLEMS: &str = "producer/src/problem/";
const API: &str = "docs/api.md";
const WEBHOOKS: &str = "docs/webhooks.md";
const SYMPTOMS: &str = "docs/troubleshooting.md";
const FINDING: &str = "Finding::new(";
const FAILURES: [&str; 2] = ["Failure::transient(", "Failure::permanent("];
/// Who says why a job failed: what runs jobs, and what finds the jobs of the dead.
const FAIL: [&str; 2] = ["shared/", "workers/"];

pub fn check(files: &[File]) -> Vec<Violation> {
    let page = |path: &str| files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str());
    let (api, webhooks, symptoms) = (page(API), page(WEBHOOKS), page(SYMPTOMS));
    if symptoms.is_empty() {
        return Vec::new();
    }
    let quoted = |page: &str, code: &str| page.contains(&format!("`{code}`"));
    let mut violations = Vec::new();
    for (code, place) in problems(files) {
        if !quoted(api, &code) || !quoted(symptoms, &code) {
            violations.push(place.violation(format!("the problem `{code}` is not in both {API} and {SYMPTOMS}")));
        }
    }
    for (code, place) in failures(files) {
        if !quoted(api, &code) && !quoted(webhooks, &code) {
            violations.push(place.violation(format!("the failure `{code}` is neither in {API} nor in {WEBHOOKS}")));
        }
    }
    for (what, place) in findings(files) {
        if !symptoms.contains(&format!("| `{what}` |")) {
            violations.push(place.violation(format!("what `doctor` says about `{what}` is not in {SYMPTOMS}")));
        }
    }
    violations
}

/// Where something is said first.
struct Place {
    path: String,
    line: usize,
}

impl Place {
    fn violation(&self, sentence: String) -> Violation {
        Violation::new(&self.path, self.line, RULE, sentence)
    }
}

type Said = BTreeMap<String, Place>;

/// The text right behind each `StatusCode::…, `, and whatever else in these files looks like a code.
fn problems(files: &[File]) -> Said {
    let ours = files.iter().filter(|file| file.is_rust() && !file.is_test() && file.path.starts_with(PROBLEMS));
    let after_status = ours.flat_map(|file| {
        let statuses = words(file.code(), "StatusCode::");
        statuses.filter_map(move |at| {
            let rest = &file.text[at..];
            let (name, rest) = rest.split_once(',')?;
            let code = rest.trim_start().strip_prefix('"')?.split_once('"')?.0;
            (is_code(code) && !name.contains('\n'))
                .then(|| (code.to_owned(), Place { path: file.path.clone(), line: line_of(&file.text, at) }))
        })
    });
    first_of(after_status)
}

fn failures(files: &[File]) -> Said {
    let ours = |file: &&File| file.is_rust() && !file.is_test() && FAIL.iter().any(|place| file.path.starts_with(place));
    first_of(files.iter().filter(ours).flat_map(|file| FAILURES.iter().flat_map(|call| first_arguments(file, call))))
}

fn findings(files: &[File]) -> Said {
    let ours = |file: &&File| file.is_rust() && !file.is_test() && !file.path.starts_with("xtask/");
    first_of(files.iter().filter(ours).flat_map(|file| first_arguments(file, FINDING)))
}

fn first_of(said: impl Iterator<Item = (String, Place)>) -> Said {
    let mut first = Said::new();
    for (code, place) in said {
        first.entry(code).or_insert(place);
    }
    first
}

/// The first argument of each call, where it is a text of this form and no test makes the call.
fn first_arguments<'a>(file: &'a File, call: &'a str) -> impl Iterator<Item = (String, Place)> + 'a {
    let tests = test_regions(file.code());
    words(file.code(), call).filter_map(move |at| {
        let line = line_of(&file.text, at);
        let code = file.text[at + call.len()..].trim_start().strip_prefix('"')?.split_once('"')?.0;
        let is_test = tests.iter().any(|region| region.contains(line));
        (is_code(code) && !is_test).then(|| (code.to_owned(), Place { path: file.path.clone(), line }))
    })
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, code: &str) -> Vec<String> {
        let api = File::new(API, "| 503 | `busy` | … |\n| `timeout` | … |");
        let symptoms = File::new(SYMPTOMS, "| `busy` | … |\n| `ledger` | … |");
        check(&[File::new(path, code), api, symptoms]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_problem_without_a_row_is_found() {
        let wording = |code: &str| format!("fn a() {{ Self::new(StatusCode::CONFLICT, \"{code}\", \"A title\") }}");
        assert!(found("producer/src/problem/wording.rs", &wording("busy")).is_empty());
        assert_eq!(found("producer/src/problem/wording.rs", &wording("novel")).len(), 1);
    }

    #[test]
    fn a_failure_and_a_finding_without_a_row_are_found() {
        assert!(found("workers/a/src/lib.rs", "fn a() { Failure::transient(\"timeout\", \"b\") }").is_empty());
        assert_eq!(found("workers/a/src/lib.rs", "fn a() { Failure::transient(\"novel\", \"b\") }").len(), 1);
        assert!(found("flotilla/src/a.rs", "fn a() { Finding::new(\"ledger\", b) }").is_empty());
        assert_eq!(found("flotilla/src/a.rs", "fn a() { Finding::new(\"novel\", b) }").len(), 1);
    }

    #[test]
    fn what_tests_make_up_needs_no_row() {
        let made_up = "#[cfg(test)]\nmod tests {\n    fn a() { Failure::transient(\"novel\", \"b\") }\n}\n";
        assert!(found("shared/runtime/src/a.rs", made_up).is_empty());
        assert!(found("workers/a/tests/it/a.rs", "fn a() { Failure::transient(\"novel\", \"b\") }").is_empty());
    }
}
