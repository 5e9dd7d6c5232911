//! Which servers can a selection of tests need? Those whose adapter its packages depend on; nobody else names a server. Likewise the
//! other things that tests need of the system.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use super::resource::Resource;
use crate::workspace;

/// Have tests of their own for all servers, or start programs that need them.
const FOR_ALL: [&str; 2] = ["chaos", "testkit"];

/// The servers for these packages; all, when none is named.
pub fn wanted(packages: Option<&[String]>) -> Vec<Resource> {
    // What cannot be told is cargo's business, which says it better a moment later.
    packages.and_then(|packages| Some(reached(packages, &dependencies().ok()?))).unwrap_or_else(|| Resource::ALL.to_vec())
}

/// What each member of the workspace depends on, also for its tests.
type Dependencies = BTreeMap<String, Vec<String>>;

fn dependencies() -> Result<Dependencies> {
    let output =
        workspace::cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output().context("could not run `cargo metadata`")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("`cargo metadata` printed something else than JSON")?;
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages = list(&metadata["packages"]);
    Ok(packages.iter().map(|package| (name(package), list(&package["dependencies"]).iter().map(name).collect())).collect())
}

fn reached(packages: &[String], dependencies: &Dependencies) -> Vec<Resource> {
    let mut open: Vec<&String> = packages.iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(package) = open.pop() {
        if seen.insert(package.as_str()) {
            open.extend(dependencies.get(package).into_iter().flatten());
        }
    }
    let all_servers = packages.iter().any(|package| FOR_ALL.contains(&package.as_str()));
    let is_wanted = |wish: &Resource| seen.contains(wish.used_through()) || all_servers && Resource::SERVERS.contains(wish);
    Resource::ALL.into_iter().filter(is_wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(packages: &[&str]) -> Vec<Resource> {
        let graph = [
            ("bootstrap", &["broker-rabbitmq", "store-postgres", "coordination-redis"][..]),
            ("flotilla", &["bootstrap"]),
            ("store-postgres", &["testkit", "store"]),
            ("domain", &[]),
        ];
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let dependencies = graph.iter().map(|(name, needs)| ((*name).to_owned(), owned(needs))).collect();
        reached(&owned(packages), &dependencies)
    }

    #[test]
    fn adapters_are_reached_through_others() {
        assert_eq!(of(&["flotilla"]), Resource::SERVERS);
        assert_eq!(of(&["store-postgres"]), [Resource::Postgres]);
        assert_eq!(of(&["store-postgres", "coordination-redis"]), [Resource::Postgres, Resource::Redis]);
        assert_eq!(of(&["domain"]), []);
        assert_eq!(of(&["testkit"]), Resource::SERVERS);
        assert_eq!(of(&["chaos"]), Resource::ALL);
    }

    #[test]
    fn without_a_selection_all_are_wanted() {
        assert_eq!(wanted(None), Resource::ALL);
    }
}
