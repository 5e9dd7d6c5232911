//! Rule `sleeps`: tests wait on facts. A sleep is too long on a fast machine and too short on a slow one. Where time itself is the
//! fault, there is `testkit::hold`, and nothing else.

use super::Violation;
use super::checkout::File;
use super::rust_text::{closing, line_of, test_regions, words};

const RULE: &str = "sleeps";
/// Test code as a whole, although its path does not say so.
const TEST_CRATES: [&str; 2] = ["shared/testkit/", "loadtest/chaos/"];
/// Where the one sleep is that tests may use.
const HOLD: &str = "shared/testkit/src/hold.rs";
/// With something in them that never comes, these are sleeps in disguise.
const DEADLINES: [&str; 2] = ["timeout(", "timeout_at("];

pub fn check(files: &[File]) -> Vec<Violation> {
    files.iter().filter(|file| file.is_rust()).flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Violation> {
    let code = file.code();
    let regions = test_regions(code);
    let disguised = DEADLINES.iter().flat_map(|call| words(code, call).filter(|at| waits_for_nothing(code, at + call.len())));
    // An instant that was decided elsewhere may be waited for; one that is calculated on the spot is a sleep.
    let from_now = words(code, "sleep_until(").filter(|at| counts_from_now(code, at + "sleep_until(".len()));
    let lines = words(code, "sleep(").chain(disguised).chain(from_now).map(|at| line_of(code, at));
    let is_test = file.is_test() || TEST_CRATES.iter().any(|crate_| file.path.starts_with(crate_));
    let in_tests = lines.filter(|line| is_test || regions.iter().any(|region| region.contains(*line)));
    let permitted = usize::from(file.path == HOLD);
    let sentence = "a test waits on a fact: use `testkit::eventually` or a signal; `testkit::hold` where time itself is the fault";
    in_tests.skip(permitted).map(|line| Violation::new(&file.path, line, RULE, sentence)).collect()
}

/// Whether the arguments that begin at `from` have an `Instant::now()` among them.
fn counts_from_now(code: &str, from: usize) -> bool {
    code[from..closing(code, from)].contains("Instant::now()")
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
        assert_eq!(bad("loadtest/chaos/src/soak.rs", "fn a() { sleep(B) }"), 1, "and of this");
    }

    #[test]
    fn what_counts_from_now_is_a_sleep() {
        let path = "producer/tests/it/main.rs";
        for sleep in ["sleep_until(Instant::now() + B)", "tokio::time::sleep_until(\n    tokio::time::Instant::now() + b(c))"] {
            assert_eq!(bad(path, &format!("async fn a() {{ {sleep}.await }}")), 1, "{sleep}");
            assert_eq!(bad("producer/src/lib.rs", &format!("async fn a() {{ {sleep}.await }}")), 0, "{sleep}");
        }
        assert_eq!(bad(path, "async fn a() { sleep_until(self.start + b).await; Instant::now(); }"), 0);
    }

    #[test]
    fn one_function_may_hold() {
        let sleep = "pub async fn hold(a: Duration) { tokio::time::sleep(a).await }";
        assert_eq!(bad(HOLD, sleep), 0);
        assert_eq!(bad(HOLD, &format!("{sleep}\nfn b() {{ sleep(B) }}")), 1, "nothing else in its file");
        assert_eq!(bad("shared/testkit/src/eventually.rs", sleep), 1, "nowhere else");
        assert_eq!(bad("loadtest/chaos/tests/matrix/broker_away.rs", "async fn a() { hold(B, why).await }"), 0, "by whomever");
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
