//! Which package does a test binary belong to? Cargo says so only while it builds them, as JSON messages.

use std::collections::HashMap;

use serde_json::Value;

/// Package names by file name of the test binary.
#[derive(Debug, Default)]
pub struct Binaries(HashMap<String, String>);

impl Binaries {
    /// Reads the messages of `cargo test --no-run --message-format=json…`; other lines are none of our business.
    pub fn read(lines: impl Iterator<Item = String>) -> Self {
        Self(lines.filter_map(|line| entry(&line)).collect())
    }

    /// The package of a test binary.
    pub fn package(&self, binary: &str) -> Option<&str> {
        self.0.get(binary).map(String::as_str)
    }
}

fn entry(line: &str) -> Option<(String, String)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let is_test = message["reason"] == "compiler-artifact" && message["profile"]["test"] == true;
    let binary = message["executable"].as_str().filter(|_| is_test)?;
    Some((super::tally::file_name(binary), package_name(message["package_id"].as_str()?)?))
}

/// `path+file:///w/workers/webhooks#webhooks-worker@0.1.0`, or without name when the directory has the same one.
fn package_name(id: &str) -> Option<String> {
    let (place, fragment) = id.rsplit_once('#')?;
    let name = match fragment.split_once('@') {
        Some((name, _)) => name,
        None => place.rsplit('/').next()?,
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_in_two_ways() {
        assert_eq!(package_name("path+file:///w/shared/domain#0.1.0").as_deref(), Some("domain"));
        assert_eq!(package_name("path+file:///w/workers/webhooks#webhooks-worker@0.1.0").as_deref(), Some("webhooks-worker"));
    }

    #[test]
    fn only_test_binaries_are_listed() {
        let message = |test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"path+file:///w/store#0.1.0","profile":{{"test":{test}}},"executable":"/t/it-{test}"}}"#
            )
        };
        let binaries = Binaries::read(["noise".to_owned(), message(true), message(false)].into_iter());
        assert_eq!(binaries.package("it-true"), Some("store"));
        assert_eq!(binaries.package("it-false"), None);
    }
}
