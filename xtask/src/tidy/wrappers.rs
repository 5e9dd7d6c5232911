//! Rule `wrappers`: a heavy or risky crate is wrapped by few of ours, so that it can be replaced in one place.

use super::Violation;
use super::packages::Package;

const RULE: &str = "wrappers";

/// Who may ship what. Tests may use anything: they prove the wrapper from outside.
const WRAPPERS: [(&str, &[&str]); 7] = [
    ("anyhow", &["bootstrap", "chaos", "flotilla", "greeter", "producer", "scheduler", "webhooks-worker", "xtask"]),
    ("axum", &["bootstrap", "dashboard", "flotilla", "producer", "testkit"]),
    ("lapin", &["broker-rabbitmq"]),
    ("redis", &["coordination-redis"]),
    ("reqwest", &["chaos", "flotilla-client", "webhooks-worker"]),
    ("rusqlite", &[]),
    ("sqlx", &["store-postgres", "store-sqlite"]),
];

/// The domain reads no clock, no dice and no network (I5), so it has nothing at hand but what computes; the clocks that
/// `chrono` and `uuid` have are refused by clippy.
const PURE: [(&str, &[&str]); 1] = [("domain", &["chrono", "serde", "serde_json", "thiserror", "uuid"])];

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
    if PURE.iter().any(|(name, allowed)| *name == package && !allowed.contains(&dependency)) {
        return Some("it is pure, and only what computes may be in it".to_owned());
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
    }

    /// I5: nothing that could do I/O, tell the time or throw dice is at the domain's hand.
    #[test]
    fn the_domain_depends_on_nothing_that_does_more_than_compute() {
        for dependency in ["tokio", "rand", "tracing", "reqwest", "store"] {
            assert_eq!(check(&[Package::with("domain", &[dependency])]).len(), 1, "{dependency}");
        }
        assert!(check(&[Package::with("domain", &["serde", "thiserror"])]).is_empty());
        let packages = crate::tidy::packages::read().expect("cargo lists the packages");
        let domain: Vec<Package> = packages.into_iter().filter(|package| package.name == "domain").collect();
        assert_eq!((domain.len(), check(&domain)), (1, Vec::new()));
    }

    #[test]
    fn tests_may_use_them() {
        assert!(check(&[Package::with("webhooks-worker", &["axum"]).for_tests()]).is_empty());
    }
}
