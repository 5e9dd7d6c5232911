//! Which versions of RabbitMQ are tests run on, and where does Debian have them? The table is below.

use std::path::Path;

use anyhow::{Result, bail};
use private_servers::Root;

/// A series of RabbitMQ, by the suite of Debian that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// `4.3` stands for every 4.3.x.
    pub name: &'static str,
    pub suite: &'static str,
}

/// The oldest is that of Debian 12, and the one that the whole matrix is for.
pub const VERSIONS: [Version; 3] =
    [Version { name: "3.10", suite: "bookworm" }, Version { name: "4.0", suite: "trixie" }, Version { name: "4.3", suite: "sid" }];

impl Version {
    pub fn named(name: &str) -> Result<Self> {
        let Some(found) = VERSIONS.into_iter().find(|version| version.name == name) else {
            bail!("there is no RabbitMQ `{name}` for tests; there are {}", VERSIONS.map(|version| version.name).join(", "));
        };
        Ok(found)
    }

    /// What a test is skipped for that wants this version.
    pub fn resource(self) -> String {
        format!("rabbitmq-{}", self.name)
    }

    /// Whether what is in a root is of it.
    pub fn is_in(self, root: &Root) -> bool {
        root.version().is_some_and(|found| self.includes(&found))
    }

    /// Whether the machine's own RabbitMQ is of it: then no root is needed.
    pub fn is_of_the_system(self) -> bool {
        Root::at(Path::new("/")).is_some_and(|root| self.is_in(&root))
    }

    fn includes(self, found: &str) -> bool {
        found.strip_prefix(self.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_has_its_patches_and_no_others() {
        let version = Version::named("4.3").expect("known");
        assert!(version.includes("4.3.6") && version.includes("4.3"));
        assert!(!version.includes("4.30.1") && !version.includes("4.0.5"));
        assert_eq!(version.resource(), "rabbitmq-4.3");
    }

    #[test]
    fn an_unknown_version_is_told_the_known_ones() {
        let refused = Version::named("3.9").expect_err("unknown").to_string();
        assert!(refused.ends_with("there are 3.10, 4.0, 4.3"), "{refused}");
    }
}
