//! Where is another version of RabbitMQ than the system's? In a root: a directory with a file system of its own, which it is run in.
//!
//! A server in a root sees nothing of the machine but its network, so the root brings its libraries along and holds the server's files.
//! Laying one out is not done here; only root can run something in it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// As the server sees it.
const SCRIPT: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// Where Debian puts what runs, by its version.
const VERSIONS: &str = "usr/lib/rabbitmq/lib";
const VERSION_PREFIX: &str = "rabbitmq_server-";
/// Where the files of servers are, seen from outside and from inside.
const HOMES: &str = "srv";

/// A directory that servers are run in as if there was nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root(PathBuf);

impl Root {
    /// `None` when there is no RabbitMQ in it.
    pub fn at(directory: &Path) -> Option<Self> {
        let root = Self(directory.to_owned());
        root.version().map(|_| root)
    }

    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// `4.3.6`.
    pub fn version(&self) -> Option<String> {
        let entries = std::fs::read_dir(self.0.join(VERSIONS)).into_iter().flatten().flatten();
        entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_prefix(VERSION_PREFIX)?.to_owned())).max()
    }

    /// Where servers of this name have their directories: to be swept when they have ended.
    pub fn parent(&self, name: &str) -> PathBuf {
        self.0.join(HOMES).join(name)
    }

    pub(crate) fn script() -> &'static Path {
        Path::new(SCRIPT)
    }

    /// A path below the root, as a server in it sees it.
    pub(crate) fn seen(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.0).map_or_else(|_| path.to_owned(), |inner| Path::new("/").join(inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_known_by_what_is_in_it() {
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(Root::at(directory.path()), None);
        std::fs::create_dir_all(directory.path().join("usr/lib/rabbitmq/lib/rabbitmq_server-4.3.6")).expect("made");
        let root = Root::at(directory.path()).expect("a root");
        assert_eq!(root.version().as_deref(), Some("4.3.6"));
    }

    #[test]
    fn paths_are_those_that_the_server_sees() {
        let root = Root(PathBuf::from("/t/roots/sid"));
        assert_eq!(root.seen(&root.parent("a").join("rabbitmq")), Path::new("/srv/a/rabbitmq"));
        assert_eq!(root.seen(Path::new("/elsewhere")), Path::new("/elsewhere"));
    }
}
