//! Rule `layers`: arrows go down only. The table below is the picture in ARCHITECTURE.md, as data.

use super::Violation;
use super::packages::{Dependency, Package};

const RULE: &str = "layers";

/// Where a crate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Part of the product; it depends on lower layers only.
    Layer(u8),
    /// For tests: everybody may have it as a dev-dependency, nobody ships it.
    Tests,
    /// Works on the project, not in it: needs nothing of ours but what tests need, and nothing depends on it.
    Apart,
}
use Place::{Apart, Layer, Tests};

/// Every crate of ours. A new crate starts with a line here.
const PLACES: [(&str, Place); 24] = [
    ("domain", Layer(0)),
    ("flotilla-client", Layer(1)),
    ("kinds", Layer(1)),
    ("settings", Layer(1)),
    ("telemetry", Layer(1)),
    ("vault", Layer(1)),
    ("broker", Layer(2)),
    ("coordination", Layer(2)),
    ("store", Layer(2)),
    ("broker-rabbitmq", Layer(3)),
    ("coordination-redis", Layer(3)),
    ("runtime", Layer(3)),
    ("store-postgres", Layer(3)),
    ("store-sqlite", Layer(3)),
    ("bootstrap", Layer(4)),
    ("dashboard", Layer(5)),
    ("flotilla", Layer(5)),
    ("producer", Layer(5)),
    ("scheduler", Layer(5)),
    ("greeter", Layer(6)),
    ("chaos", Tests),
    ("private-servers", Tests),
    ("testkit", Tests),
    ("xtask", Apart),
];

/// Every worker is a role: `webhooks-worker`, `email-worker`, …
const WORKER_SUFFIX: &str = "-worker";
const WORKER: Place = Layer(5);

/// Arrows within a layer: the one process that runs all roles.
const ALL_ROLES: &str = "flotilla";

/// Crates with heavy dependencies behind a port; only the composition root names them.
const ADAPTERS: [&str; 4] = ["broker-rabbitmq", "coordination-redis", "store-postgres", "store-sqlite"];
const COMPOSITION_ROOT: &str = "bootstrap";

pub fn check(packages: &[Package]) -> Vec<Violation> {
    packages.iter().flat_map(|package| of_package(package, packages)).collect()
}

fn of_package(package: &Package, packages: &[Package]) -> Vec<Violation> {
    let Some(from) = place(&package.name) else {
        let sentence = format!("`{}` has no layer; give it one in xtask/src/tidy/layers.rs and in ARCHITECTURE.md", package.name);
        return vec![Violation::new(&package.manifest, 1, RULE, sentence)];
    };
    let is_ours = |dependency: &&Dependency| packages.iter().any(|other| other.name == dependency.name);
    let wrong = |dependency: &Dependency| {
        let why = objection(package, from, &dependency.name)?;
        Some(Violation::new(
            &package.manifest,
            dependency.line,
            RULE,
            format!("`{}` may not depend on `{}`: {why}", package.name, dependency.name),
        ))
    };
    package.shipped().filter(is_ours).filter_map(wrong).collect()
}

fn place(name: &str) -> Option<Place> {
    let listed = PLACES.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, place)| *place);
    listed.or_else(|| name.ends_with(WORKER_SUFFIX).then_some(WORKER))
}

fn objection(package: &Package, from: Place, to: &str) -> Option<String> {
    if ADAPTERS.contains(&to) && package.name != COMPOSITION_ROOT {
        return Some(format!("only `{COMPOSITION_ROOT}` knows which adapter is in use"));
    }
    match (from, place(to)?) {
        // What starts servers for tests is the same for those who run the tests.
        (Tests | Apart, Tests) => None,
        (Layer(_), Tests) => Some("it is for tests: make it a dev-dependency".to_owned()),
        (Apart, _) | (_, Apart) => Some("automation stands apart from the product".to_owned()),
        (Layer(from), Layer(to)) if from < to => Some(format!("arrows go down only, and this one goes from layer {from} up to {to}")),
        (Layer(from), Layer(to)) if from == to && package.name != ALL_ROLES => {
            Some(format!("both stand on layer {from}; move what they share down"))
        }
        (Layer(_) | Tests, Layer(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Violations of `from` depending on `to`.
    fn bad(from: &str, to: &str) -> usize {
        check(&[Package::with(from, &[to]), Package::with(to, &[])]).len()
    }

    #[test]
    fn arrows_go_down() {
        for (from, to) in [
            ("kinds", "domain"),
            ("store-sqlite", "kinds"),
            ("bootstrap", "store-sqlite"),
            ("webhooks-worker", "runtime"),
            ("flotilla", "producer"),
        ] {
            assert_eq!(bad(from, to), 0, "{from} -> {to}");
        }
    }

    #[test]
    fn arrows_do_not_go_up_or_sideways() {
        for (from, to) in [
            ("domain", "kinds"),
            ("store", "runtime"),
            ("runtime", "bootstrap"),
            ("producer", "scheduler"),
            ("vault", "settings"),
            ("producer", "webhooks-worker"),
        ] {
            assert_eq!(bad(from, to), 1, "{from} -> {to}");
        }
    }

    #[test]
    fn only_the_composition_root_names_adapters() {
        for from in ["runtime", "producer", "flotilla", "store-postgres"] {
            assert_eq!(bad(from, "store-sqlite"), 1, "{from}");
        }
    }

    #[test]
    fn tests_may_need_anything() {
        for to in ["store-sqlite", "testkit"] {
            let runtime = Package::with("runtime", &[to]);
            assert_eq!(check(&[runtime.clone(), Package::with(to, &[])]).len(), 1, "{to}");
            assert_eq!(check(&[runtime.for_tests(), Package::with(to, &[])]).len(), 0, "{to}");
        }
    }

    #[test]
    fn automation_stands_apart() {
        assert_eq!(bad("xtask", "domain"), 1);
        assert_eq!(bad("xtask", "private-servers"), 0);
        assert_eq!(bad("bootstrap", "private-servers"), 1);
        assert_eq!(bad("producer", "xtask"), 1);
    }

    #[test]
    fn a_crate_without_a_layer_is_refused() {
        assert_eq!(check(&[Package::with("novelty", &[])]).len(), 1);
        assert_eq!(check(&[Package::with("email-worker", &[])]).len(), 0);
    }
}
