//! Rule `wrappers`: a heavy or risky crate is wrapped by few of ours, so that it can be replaced in one place.

use super::Violation;
use super::packages::Package;

const RULE: &str = "wrappers";

/// Who may ship what. Tests may use anything: they prove the wrapper from outside.
const WRAPPERS: [(&str, &[&str]); 7] = [
    ("anyhow", &["bootstrap", "flotilla", "producer", "scheduler", "webhooks-worker", "xtask"]),
    ("axum", &["bootstrap", "dashboard", "flotilla", "producer", "testkit"]),
    ("lapin", &["broker-rabbitmq"]),
    ("redis", &["coordination-redis"]),
    ("reqwest", &["flotilla", "webhooks-worker"]),
    ("rusqlite", &[]),
    ("sqlx", &["store-postgres", "store-sqlite"]),
];

/// The domain reads no clock, no dice and no network (I5), so it has none of them at hand.
const PURE: [(&str, &[&str]); 1] = [("domain", &["rand", "tokio", "tracing", "futures-util", "async-trait"])];

pub fn check(packages: &[Package]) -> Vec<Violation> {
    packages.iter().flat_map(of_package).collect()
}

fn of_package(package: &Package) -> impl Iterator<Item = Violation> {
    package.shipped().filter_map(|dependency| {
        let why = objection(&package.name, &dependency.name)?;
        let sentence = format!("`{}` may not depend on `{}`: {why}", package.name, dependency.name);
        Some(Violation::new(&package.manifest, dependency.line, RULE, sentence))
    })
}

fn objection(package: &str, dependency: &str) -> Option<String> {
    if PURE.iter().any(|(name, refused)| *name == package && refused.contains(&dependency)) {
        return Some("it is pure".to_owned());
    }
    let (_, allowed) = WRAPPERS.iter().find(|(name, allowed)| *name == dependency && !allowed.contains(&package))?;
    Some(match allowed {
        [] => "nobody may".to_owned(),
        _ => format!("only {} may", allowed.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heavy_crates_stay_behind_their_wrappers() {
        let bad = |name: &str, dependency: &str| check(&[Package::with(name, &[dependency])]).len();
        assert_eq!(bad("store-sqlite", "sqlx"), 0);
        assert_eq!(bad("producer", "sqlx"), 1);
        assert_eq!(bad("runtime", "anyhow"), 1);
        assert_eq!(bad("domain", "tokio"), 1);
        assert_eq!(bad("domain", "serde"), 0);
    }

    #[test]
    fn tests_may_use_them() {
        assert!(check(&[Package::with("webhooks-worker", &["axum"]).for_tests()]).is_empty());
    }
}
