//! Where are the programs of the servers? Where Debian puts them, or on the path.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What of the servers is installed here, and of what tests need beside them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs {
    /// The directory with `initdb` and `postgres`; that of the newest version.
    pub postgres: Option<PathBuf>,
    /// The script that runs in the foreground as whoever starts it, unlike Debian's wrapper in `/usr/sbin`.
    pub rabbitmq: Option<PathBuf>,
    pub redis: Option<PathBuf>,
    /// The library that gives one process another clock; the one for programs with threads.
    pub faketime: Option<PathBuf>,
}

impl Programs {
    /// Looks below `root` (`/`, except in tests of this) and in the directories of `path`, a value of `PATH`.
    pub fn find(root: &Path, path: Option<&OsStr>) -> Self {
        let on_path: Vec<PathBuf> = path.map(|path| std::env::split_paths(path).collect()).unwrap_or_default();
        let known = |places: &[&str]| places.iter().map(|place| root.join(place)).collect::<Vec<_>>();
        let first = |directories: &[PathBuf], program: &str| {
            directories.iter().map(|directory| directory.join(program)).find(|program| program.is_file())
        };
        let postgres: Vec<PathBuf> =
            versions(&root.join("usr/lib/postgresql")).map(|version| version.join("bin")).chain(on_path.clone()).collect();
        let rabbitmq: Vec<PathBuf> = known(&["usr/lib/rabbitmq/bin"])
            .into_iter()
            .chain(versions(&root.join("usr/lib/rabbitmq/lib")).map(|version| version.join("sbin")))
            // Debian's wrapper serves only root and the user of its own server.
            .chain(on_path.iter().filter(|directory| !directory.starts_with(root.join("usr/sbin"))).cloned())
            .collect();
        // One directory per architecture.
        let libraries: Vec<PathBuf> = versions(&root.join("usr/lib")).collect();
        let redis: Vec<PathBuf> = on_path.into_iter().chain(known(&["usr/bin", "usr/local/bin"])).collect();
        Self {
            postgres: postgres.into_iter().find(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file()),
            rabbitmq: first(&rabbitmq, "rabbitmq-server"),
            redis: first(&redis, "redis-server").or_else(|| first(&redis, "valkey-server")),
            faketime: first(&libraries, "faketime/libfaketimeMT.so.1"),
        }
    }
}

/// The directories in a directory, those with the highest numbers in their names first.
fn versions(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<(Vec<u32>, PathBuf)> = entries.map(|entry| (numbers(&entry.file_name().to_string_lossy()), entry.path())).collect();
    found.sort();
    found.into_iter().rev().map(|(_, path)| path)
}

fn numbers(name: &str) -> Vec<u32> {
    name.split(|letter: char| !letter.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with these files.
    fn machine(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        for file in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().expect("below the root")).expect("made");
            std::fs::write(path, "").expect("written");
        }
        root
    }

    #[test]
    fn a_bare_machine_has_nothing() {
        assert_eq!(Programs::find(machine(&[]).path(), None), Programs::default());
        let path = std::env::join_paths(["/does/not/exist"]).expect("a path");
        assert_eq!(Programs::find(machine(&[]).path(), Some(&path)), Programs::default());
    }

    #[test]
    fn the_packages_of_debian_are_found() {
        let root = machine(&[
            "usr/lib/postgresql/9.6/bin/initdb",
            "usr/lib/postgresql/9.6/bin/postgres",
            "usr/lib/postgresql/15/bin/initdb",
            "usr/lib/postgresql/15/bin/postgres",
            // Only the client is installed.
            "usr/lib/postgresql/17/bin/psql",
            "usr/lib/rabbitmq/bin/rabbitmq-server",
            "usr/bin/redis-server",
            "usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
        ]);
        let found = Programs::find(root.path(), None);
        assert_eq!(found.postgres, Some(root.path().join("usr/lib/postgresql/15/bin")));
        assert_eq!(found.rabbitmq, Some(root.path().join("usr/lib/rabbitmq/bin/rabbitmq-server")));
        assert_eq!(found.redis, Some(root.path().join("usr/bin/redis-server")));
        assert_eq!(found.faketime, Some(root.path().join("usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")));
    }

    #[test]
    fn the_path_serves_where_debian_does_not() {
        let root = machine(&[
            "opt/bin/initdb",
            "opt/bin/postgres",
            "opt/bin/valkey-server",
            "opt/bin/rabbitmq-server",
            "usr/sbin/rabbitmq-server",
        ]);
        let path = |places: &[&str]| std::env::join_paths(places.iter().map(|place| root.path().join(place))).expect("a path");
        let found = Programs::find(root.path(), Some(&path(&["usr/sbin", "opt/bin"])));
        assert_eq!(found.postgres, Some(root.path().join("opt/bin")));
        assert_eq!(found.rabbitmq, Some(root.path().join("opt/bin/rabbitmq-server")));
        assert_eq!(found.redis, Some(root.path().join("opt/bin/valkey-server")));
        assert_eq!(Programs::find(root.path(), Some(&path(&["usr/sbin"]))).rabbitmq, None, "the wrapper will not do");
    }
}
