//! Rule `sleeps`: tests wait on facts. A sleep is too long on a fast machine and too short on a slow one.

use super::Violation;
use super::checkout::File;
use super::rust_text::{closing, line_of, test_regions, words};

const RULE: &str = "sleeps";
/// Test code as a whole, although its path does not say so.
const TEST_CRATE: &str = "shared/testkit/";
/// With something in them that never comes, these are sleeps in disguise.
const DEADLINES: [&str; 2] = ["timeout(", "timeout_at("];

pub fn check(files: &[File]) -> Vec<Violation> {
    files.iter().filter(|file| file.is_rust()).flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Violation> {
    let code = file.code();
    let regions = test_regions(code);
    let disguised = DEADLINES.iter().flat_map(|call| words(code, call).filter(|at| waits_for_nothing(code, at + call.len())));
    let lines = words(code, "sleep(").chain(disguised).map(|at| line_of(code, at));
    let is_test = file.is_test() || file.path.starts_with(TEST_CRATE);
    let in_tests = lines.filter(|line| is_test || regions.iter().any(|region| region.contains(*line)));
    let sentence = "a test waits on a fact: use `testkit::eventually` or a signal";
    in_tests.map(|line| Violation::new(&file.path, line, RULE, sentence)).collect()
}

/// Whether the arguments that begin at `from` have a `pending()` among them, which is never ready. A method of that name may be.
fn waits_for_nothing(code: &str, from: usize) -> bool {
    let arguments = &code[from..closing(code, from)];
    words(arguments, "pending").any(|at| {
        let rest = &arguments[at + "pending".len()..];
        !arguments[..at].ends_with('.') && (rest.starts_with('(') || rest.starts_with("::<"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(path: &str, text: &str) -> usize {
        check(&[File::new(path, text)]).len()
    }

    #[test]
    fn tests_do_not_sleep() {
        assert_eq!(bad("producer/tests/it/main.rs", "async fn a() { tokio::time::sleep(B).await }"), 1);
        assert_eq!(bad("producer/src/lib.rs", "#[cfg(test)]\nmod tests {\n  fn a() { std::thread::sleep(B) }\n}"), 1);
        assert_eq!(bad("producer/src/lib.rs", "fn a() { sleep(B) }\n#[cfg(test)]\nmod tests {}\n"), 0);
        assert_eq!(bad("producer/tests/it/main.rs", "// sleep(\nfn a() { sleep_until(b) }"), 0);
        assert_eq!(bad("shared/testkit/src/child.rs", "fn a() { sleep(B) }"), 1, "all of it is test code");
    }

    #[test]
    fn a_deadline_on_nothing_is_a_sleep() {
        let path = "producer/tests/it/main.rs";
        for sleep in
            ["timeout(B, pending::<()>())", "tokio::time::timeout_at(b(), std::future::pending())", "timeout(B, async { pending().await })"]
        {
            assert_eq!(bad(path, &format!("async fn a() {{ let _ = {sleep}.await; }}")), 1, "{sleep}");
            assert_eq!(bad("producer/src/lib.rs", &format!("async fn a() {{ let _ = {sleep}.await; }}")), 0, "{sleep}");
        }
        for wait in ["timeout(B, answer())", "timeout(B, broker.pending())", "timeout(B, is_pending()); pending()", "timeout(B, pending)"] {
            assert_eq!(bad(path, &format!("async fn a() {{ let _ = {wait}.await; }}")), 0, "{wait}");
        }
    }
}
