//! Rule `sleeps`: tests wait on facts. A sleep is too long on a fast machine and too short on a slow one.

use super::Violation;
use super::checkout::File;
use super::rust_text::{line_of, test_regions, words};

const RULE: &str = "sleeps";

pub fn check(files: &[File]) -> Vec<Violation> {
    files.iter().filter(|file| file.is_rust()).flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Violation> {
    let code = file.code();
    let regions = test_regions(code);
    let lines = words(code, "sleep(").map(|at| line_of(code, at));
    let in_tests = lines.filter(|line| file.is_test() || regions.iter().any(|region| region.contains(*line)));
    let sentence = "a test waits on a fact: use `testkit::eventually` or a signal";
    in_tests.map(|line| Violation::new(&file.path, line, RULE, sentence)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_do_not_sleep() {
        let bad = |path: &str, text: &str| check(&[File::new(path, text)]).len();
        assert_eq!(bad("producer/tests/it/main.rs", "async fn a() { tokio::time::sleep(B).await }"), 1);
        assert_eq!(bad("producer/src/lib.rs", "#[cfg(test)]\nmod tests {\n  fn a() { std::thread::sleep(B) }\n}"), 1);
        assert_eq!(bad("producer/src/lib.rs", "fn a() { sleep(B) }\n#[cfg(test)]\nmod tests {}\n"), 0);
        assert_eq!(bad("producer/tests/it/main.rs", "// sleep(\nfn a() { sleep_until(b) }"), 0);
    }
}
