//! Rule `manifests`: versions, editions, lints and dependencies are decided once, for the whole workspace.

use toml::{Table, Value};

use super::Violation;
use super::checkout::File;

const RULE: &str = "manifests";
const INHERITED: [&str; 5] = ["version", "edition", "rust-version", "license", "publish"];
const DEPENDENCIES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

pub fn check(files: &[File]) -> Vec<Violation> {
    let is_manifest = |file: &&File| file.path == "Cargo.toml" || file.path.ends_with("/Cargo.toml");
    files.iter().filter(is_manifest).flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Violation> {
    match file.text.parse::<Table>() {
        Ok(manifest) if manifest.contains_key("package") => of_manifest(file, &manifest),
        // The root of the workspace decides what the others inherit.
        Ok(_) => Vec::new(),
        Err(error) => vec![Violation::new(&file.path, 1, RULE, format!("this is not TOML: {}", error.message()))],
    }
}

fn of_manifest(file: &File, manifest: &Table) -> Vec<Violation> {
    let violation = |key: &str, sentence: String| Violation::new(&file.path, line_of_key(&file.text, key), RULE, sentence);
    let mut violations = Vec::new();
    for key in INHERITED {
        if !inherits(manifest.get("package").and_then(|package| package.get(key))) {
            violations.push(violation(key, format!("write `{key}.workspace = true`")));
        }
    }
    if !inherits(manifest.get("lints")) {
        violations.push(violation("[lints", "write `[lints]` and `workspace = true`".to_owned()));
    }
    if manifest.get("package").and_then(|package| package.get("description")).is_none() {
        violations.push(violation("[package", "say in `description` what the crate is for".to_owned()));
    }
    let own = |name: &str, value: &Value| !inherits(Some(value)) && !is_itself(manifest, name, value);
    let owned = tables(manifest).into_iter().flatten().filter(|(name, value)| own(name, value));
    violations.extend(owned.map(|(name, _)| {
        violation(name, format!("`{name}` is declared in the root's [workspace.dependencies] and inherited by `workspace = true`"))
    }));
    violations
}

/// Every table of dependencies, also those for one target only.
fn tables(manifest: &Table) -> Vec<&Table> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let places: Vec<&Table> = std::iter::once(manifest).chain(targets).collect();
    places.into_iter().flat_map(|table| DEPENDENCIES.iter().filter_map(|key| table.get(*key)?.as_table())).collect()
}

fn inherits(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
}

/// A crate may need itself with another feature for its own tests, which cannot be inherited.
fn is_itself(manifest: &Table, name: &str, value: &Value) -> bool {
    let own_name = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
    own_name == Some(name) && value.get("path").and_then(Value::as_str) == Some(".")
}

fn line_of_key(text: &str, key: &str) -> usize {
    text.lines().position(|line| line.trim_start().starts_with(key)).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"a\"\ndescription = \"A.\"\nversion.workspace = true\nedition.workspace = true\nrust-version.workspace = true\n\
        license.workspace = true\npublish.workspace = true\n[lints]\nworkspace = true\n[dependencies]\nserde.workspace = true\n[dev-dependencies]\na = { path = \".\" }\n";

    fn found(text: &str) -> Vec<String> {
        check(&[File::new("a/Cargo.toml", text)]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_manifest_inherits_everything() {
        assert!(found(GOOD).is_empty(), "{:?}", found(GOOD));
        assert!(found("[workspace]\nmembers = []\n").is_empty());
    }

    #[test]
    fn each_deviation_has_its_line() {
        let rows = [
            ("version.workspace = true", "version = \"1.0.0\"", "a/Cargo.toml:4: manifests: write `version"),
            ("edition.workspace = true", "edition = \"2021\"", "a/Cargo.toml:5: manifests: write `edition"),
            ("[lints]\nworkspace = true", "[lints.rust]", "a/Cargo.toml:9: manifests: write `[lints]`"),
            ("serde.workspace = true", "serde = \"1\"", "a/Cargo.toml:12: manifests: `serde`"),
            (
                "[dependencies]\nserde.workspace = true",
                "[target.'cfg(unix)'.dependencies]\nserde = \"1\"",
                "a/Cargo.toml:12: manifests: `serde`",
            ),
        ];
        for (good, bad, sentence) in rows {
            let found = found(&GOOD.replacen(good, bad, 1));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with(sentence), "{found:?}");
        }
    }
}
