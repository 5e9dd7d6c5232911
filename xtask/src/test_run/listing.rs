//! Which test binaries are there, and of which packages? Cargo says so only while it builds them, as JSON messages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Test binaries by their file name.
#[derive(Debug, Default)]
pub struct Binaries(BTreeMap<String, Binary>);

/// One test binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    pub package: String,
    /// Where the package is: tests are run there.
    pub directory: PathBuf,
    /// `lib`, `bin`, `test`.
    kind: String,
    target: String,
    pub executable: PathBuf,
}

impl Binaries {
    /// Reads the messages of `cargo test --no-run --message-format=json…`; other lines are none of our business.
    pub fn read(lines: impl Iterator<Item = String>) -> Self {
        Self(lines.filter_map(|line| entry(&line)).collect())
    }

    /// The package of a test binary.
    pub fn package(&self, binary: &str) -> Option<&str> {
        self.0.get(binary).map(|binary| binary.package.as_str())
    }

    /// The integration tests of this name.
    pub fn tests(&self, package: &str, target: &str) -> Option<&Binary> {
        self.0.values().find(|binary| binary.is(package, target))
    }

    pub fn has_libraries(&self) -> bool {
        self.0.values().any(|binary| binary.kind == "lib")
    }

    /// Options for cargo that name all binaries but those of the integration tests `target`, whose name no other package has.
    pub fn all_but(&self, package: &str, target: &str) -> Vec<String> {
        let others = self.0.values().filter(|binary| !binary.is(package, target));
        let options: BTreeSet<String> = others.map(Binary::option).collect();
        options.into_iter().flat_map(|option| option.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

impl Binary {
    fn is(&self, package: &str, target: &str) -> bool {
        self.kind == "test" && self.package == package && self.target == target
    }

    fn option(&self) -> String {
        match self.kind.as_str() {
            "test" => format!("--test {}", self.target),
            "bin" => "--bins".to_owned(),
            _ => "--lib".to_owned(),
        }
    }

    pub fn file_name(&self) -> String {
        super::tally::file_name(&self.executable.to_string_lossy())
    }
}

fn entry(line: &str) -> Option<(String, Binary)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let is_test = message["reason"] == "compiler-artifact" && message["profile"]["test"] == true;
    let executable = message["executable"].as_str().filter(|_| is_test)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let binary = Binary {
        package: package_name(message["package_id"].as_str()?)?,
        directory: Path::new(&text(&message["manifest_path"])).parent().map(Path::to_path_buf).unwrap_or_default(),
        kind: text(&message["target"]["kind"][0]),
        target: text(&message["target"]["name"]),
        executable: PathBuf::from(executable),
    };
    Some((binary.file_name(), binary))
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

    fn message(package: &str, kind: &str, target: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"path+file:///w/{package}#0.1.0","manifest_path":"/w/{package}/Cargo.toml",
            "profile":{{"test":true}},"target":{{"kind":["{kind}"],"name":"{target}"}},"executable":"/t/{target}-{package}"}}"#
        )
    }

    #[test]
    fn packages_are_named_in_two_ways() {
        assert_eq!(package_name("path+file:///w/shared/domain#0.1.0").as_deref(), Some("domain"));
        assert_eq!(package_name("path+file:///w/workers/webhooks#webhooks-worker@0.1.0").as_deref(), Some("webhooks-worker"));
    }

    #[test]
    fn only_test_binaries_are_listed() {
        let (test, program) = (message("store", "test", "it"), message("store", "bin", "store"));
        let binaries = Binaries::read(["noise".to_owned(), test, program.replace("true", "false")].into_iter());
        assert_eq!(binaries.package("it-store"), Some("store"));
        assert_eq!(binaries.package("store-store"), None);
        let found = binaries.tests("store", "it").expect("listed");
        assert_eq!((found.directory.as_path(), found.executable.as_path()), (Path::new("/w/store"), Path::new("/t/it-store")));
        assert!(binaries.tests("store", "other").is_none() && !binaries.has_libraries());
    }

    #[test]
    fn all_others_are_named_once() {
        let built = [
            message("a", "lib", "a"),
            message("b", "lib", "b"),
            message("b", "test", "it"),
            message("c", "test", "it"),
            message("c", "bin", "c"),
            message("chaos", "test", "matrix"),
        ];
        let binaries = Binaries::read(built.into_iter());
        assert_eq!(binaries.all_but("chaos", "matrix").join(" "), "--bins --lib --test it");
        assert!(binaries.has_libraries());
    }
}
