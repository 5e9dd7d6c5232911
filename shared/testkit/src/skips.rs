//! What does a test do that cannot run here? It says so, and is then counted as skipped, never as passed.

use std::io::{Error, Write};
use std::path::Path;

use serde::Serialize;

use crate::environment::variable;

/// The file that `cargo xtask test` reads skips from.
const SKIPS: &str = "FLOTILLA_SKIPS";
/// Resources, separated by commas, that must not be missing; `all` means every one.
const REQUIRE: &str = "FLOTILLA_REQUIRE";

/// Ends the test as skipped: `skip!("postgres", "TEST_POSTGRES_URL is not set")`, or with a reason alone.
///
/// For tests that return nothing; others call [`skip`](crate::skip()) and return by themselves.
#[macro_export]
macro_rules! skip {
    ($reason:expr $(,)?) => {
        $crate::skip!("", $reason)
    };
    ($resource:expr, $reason:expr $(,)?) => {{
        $crate::skip($resource, $reason);
        return;
    }};
}

#[derive(Debug, Serialize)]
struct Skip<'a> {
    binary: &'a str,
    test: &'a str,
    resource: &'a str,
    reason: &'a str,
}

/// Records that the running test cannot run for want of `resource`; the caller returns right after.
///
/// Call it on the test's own thread, where its name is known.
///
/// # Panics
/// When `FLOTILLA_REQUIRE` names the resource, and when the skip cannot be recorded.
pub fn skip(resource: &str, reason: &str) {
    assert!(!is_required(resource, &variable(REQUIRE)), "`{resource}` is required ({REQUIRE}), but: {reason}");
    let executable = std::env::current_exe().ok();
    let binary = executable.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    let thread = std::thread::current();
    // With one test thread libtest runs everything on `main`, which is not the name of a test.
    let test = thread.name().filter(|name| *name != "main").unwrap_or_default();
    let path = variable(SKIPS);
    if path.is_empty() {
        note(test, reason);
    } else {
        let recorded = record(Path::new(&path), &Skip { binary, test, resource, reason });
        recorded.unwrap_or_else(|error| panic!("could not record a skip in `{path}`: {error}"));
    }
}

#[expect(clippy::print_stderr, reason = "without xtask there is nobody else to tell")]
fn note(test: &str, reason: &str) {
    eprintln!("skipped {test}: {reason}");
}

fn is_required(resource: &str, list: &str) -> bool {
    !resource.is_empty() && list.split(',').map(str::trim).any(|item| item == resource || item == "all")
}

/// One write per line: the tests of all binaries append to the same file at the same time.
fn record(path: &Path, skip: &Skip<'_>) -> Result<(), Error> {
    let line = format!("{}\n", serde_json::to_string(skip)?);
    std::fs::File::options().append(true).create(true).open(path)?.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;

    #[test]
    fn a_skip_is_one_line() {
        let scratch = Scratch::new();
        let path = scratch.join("skips.jsonl");
        for reason in ["no \"server\"", "two\nlines"] {
            record(&path, &Skip { binary: "it-0f", test: "a::b", resource: "postgres", reason }).expect("writable");
        }
        let text = std::fs::read_to_string(&path).expect("readable");
        let expected = r#"{"binary":"it-0f","test":"a::b","resource":"postgres","reason":"no \"server\""}"#;
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [expected, r#"{"binary":"it-0f","test":"a::b","resource":"postgres","reason":"two\nlines"}"#]
        );
    }

    #[test]
    fn a_resource_is_required_by_name() {
        assert!(is_required("postgres", "redis, postgres"));
        assert!(is_required("postgres", "all"));
        assert!(!is_required("postgres", ""));
        assert!(!is_required("", "all"));
    }
}
