//! Where does a test put its files? In a directory of its own, gone when the test ends.

use std::path::{Path, PathBuf};

/// An empty directory, removed with everything in it on drop.
#[derive(Debug)]
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// # Panics
    /// When the system gives us no directory: no test can go on then.
    #[expect(clippy::new_without_default, reason = "each call makes a directory, which a default does not promise")]
    pub fn new() -> Self {
        let made = tempfile::Builder::new().prefix("flotilla-test-").tempdir();
        Self(made.unwrap_or_else(|error| panic!("could not make a scratch directory: {error}")))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of a file in it, which need not exist.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_with_everything_in_it() {
        let scratch = Scratch::new();
        let file = scratch.join("a.db");
        std::fs::write(&file, "x").expect("writable");
        let directory = scratch.path().to_owned();
        drop(scratch);
        assert!(!file.exists() && !directory.exists());
    }
}
