//! Which crates are there and what does each depend on? Asks `cargo metadata`.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::workspace;

/// What a dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Normal,
    Dev,
    Build,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    pub name: String,
    pub purpose: Purpose,
    /// The line of the manifest that names it.
    pub line: usize,
}

/// One member of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    pub name: String,
    /// Path of `Cargo.toml` from the root.
    pub manifest: String,
    pub dependencies: Vec<Dependency>,
}

impl Package {
    /// What ends up in the product: everything but what tests need.
    pub fn shipped(&self) -> impl Iterator<Item = &Dependency> {
        self.dependencies.iter().filter(|dependency| dependency.purpose != Purpose::Dev)
    }

    /// A package with normal dependencies, for tests of rules.
    #[cfg(test)]
    pub fn with(name: &str, dependencies: &[&str]) -> Self {
        let dependency = |name: &&str| Dependency { name: (*name).to_owned(), purpose: Purpose::Normal, line: 1 };
        Self { name: name.to_owned(), manifest: format!("{name}/Cargo.toml"), dependencies: dependencies.iter().map(dependency).collect() }
    }

    /// The same package needing its dependencies for tests only.
    #[cfg(test)]
    pub fn for_tests(mut self) -> Self {
        self.dependencies.iter_mut().for_each(|dependency| dependency.purpose = Purpose::Dev);
        self
    }
}

/// Every member of the workspace.
pub fn read() -> Result<Vec<Package>> {
    let mut command = workspace::cargo();
    let output = command.args(["metadata", "--no-deps", "--format-version", "1"]).output().context("could not run `cargo metadata`")?;
    if !output.status.success() {
        bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).context("`cargo metadata` printed something else than JSON")?;
    let packages = metadata["packages"].as_array().context("`cargo metadata` lists no packages")?;
    packages.iter().map(|package| parse(package, |path| Ok(std::fs::read_to_string(path)?))).collect()
}

fn parse(package: &Value, read: impl Fn(&str) -> Result<String>) -> Result<Package> {
    let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned).with_context(|| format!("`{name}` is missing"));
    let path = text(package, "manifest_path")?;
    let manifest = read(&path).with_context(|| format!("could not read `{path}`"))?;
    let dependency = |value: &Value| -> Result<Dependency> {
        let name = text(value, "name")?;
        let purpose = match value["kind"].as_str() {
            Some("dev") => Purpose::Dev,
            Some("build") => Purpose::Build,
            _ => Purpose::Normal,
        };
        let line = line_of_key(&manifest, &name, purpose);
        Ok(Dependency { name, purpose, line })
    };
    let dependencies = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
    let root = format!("{}/", workspace::root().display());
    Ok(Package {
        name: text(package, "name")?,
        manifest: path.strip_prefix(&root).unwrap_or(&path).to_owned(),
        dependencies: dependencies.iter().map(dependency).collect::<Result<_>>()?,
    })
}

fn line_of_key(manifest: &str, key: &str, purpose: Purpose) -> usize {
    let section = match purpose {
        Purpose::Normal => "[dependencies",
        Purpose::Dev => "[dev-dependencies",
        Purpose::Build => "[build-dependencies",
    };
    let is_key = |line: &str| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    let after = manifest.lines().position(|line| line.starts_with(section)).unwrap_or(0);
    manifest.lines().enumerate().skip(after).find(|(_, line)| is_key(line)).map_or(1, |(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_have_a_purpose_and_a_line() {
        let package = serde_json::json!({
            "name": "store", "manifest_path": "/elsewhere/store/Cargo.toml",
            "dependencies": [{"name": "tokio", "kind": null}, {"name": "tempfile", "kind": "dev"}],
        });
        let manifest =
            "[package]\nname = \"store\"\n[dependencies]\ntokio.workspace = true\n\n[dev-dependencies]\ntempfile = { workspace = true }\n";
        let package = parse(&package, |_| Ok(manifest.to_owned())).expect("valid");
        let found: Vec<_> =
            package.dependencies.iter().map(|dependency| (dependency.name.as_str(), dependency.purpose, dependency.line)).collect();
        assert_eq!(found, [("tokio", Purpose::Normal, 4), ("tempfile", Purpose::Dev, 7)]);
    }
}
