//! Where do tests put their files? In a directory of this run, which is gone after it, also when it is interrupted.
//!
//! A shell outside of every group of ours reads from a pipe whose other end only we hold, and removes the directory when we
//! end, however we end.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// Removing is repeated, because what was killed a moment ago may still be writing.
const SWEEP: &str = r#"cat >/dev/null; for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$1" && exit 0; sleep 0.2; done; exit 1"#;
/// Tests add to it, and the path of a Unix socket has at most 107 bytes.
const PATH_BYTES_MAX: usize = 64;

/// The directory, and who removes it.
pub struct Scratch {
    path: PathBuf,
    sweeper: Child,
}

impl Scratch {
    /// A fresh directory below `parent`. `None` where its path would be too long: then tests use the system's.
    pub fn create(parent: &Path) -> Result<Option<Self>> {
        let path = parent.join(format!("tmp-{}", std::process::id()));
        if path.as_os_str().len() > PATH_BYTES_MAX {
            return Ok(None);
        }
        std::fs::create_dir_all(&path).with_context(|| format!("could not create `{}`", path.display()))?;
        let mut command = Command::new("sh");
        command.args(["-c", SWEEP, "sweep"]).arg(&path).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let sweeper = command.process_group(0).spawn().context("could not start `sh`, which removes what tests leave behind")?;
        Ok(Some(Self { path, sweeper }))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.sweeper.stdin.take());
        // What cannot be removed is told by nobody: it is below `target`, where a person looks first.
        drop(self.sweeper.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_with_everything_in_it() {
        let parent = std::env::temp_dir().join(format!("xtask-{}", std::process::id()));
        let scratch = Scratch::create(&parent).expect("created").expect("short");
        let path = scratch.path().to_owned();
        std::fs::create_dir(path.join("a")).expect("made");
        std::fs::write(path.join("a/b"), "x").expect("written");
        drop(scratch);
        assert!(!path.exists());
        std::fs::remove_dir(&parent).expect("empty");
    }

    #[test]
    fn a_path_that_is_too_long_is_not_used() {
        let long = PathBuf::from("/tmp").join("x".repeat(PATH_BYTES_MAX));
        assert!(Scratch::create(&long).expect("no error").is_none());
        assert!(!long.exists());
    }
}
