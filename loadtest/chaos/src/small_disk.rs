//! How does a disk run full? It is a small one, in memory, mounted for one test, and something else takes what is left of it.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Why a test that needs it is skipped.
pub const NO_MOUNT: &str = "no file system can be mounted here: that takes root, outside of most containers";

/// Waits for our end, however that comes.
const UNMOUNT: &str = r#"cat >/dev/null; umount -l "$1"; rmdir "$1""#;

/// A file system of its own; gone when it is dropped, or when the test is killed.
pub struct SmallDisk {
    path: PathBuf,
    /// Unmounts at the end of its input.
    watcher: Child,
}

impl SmallDisk {
    /// One that belongs to whom `like` belongs to; `None` where none can be mounted.
    ///
    /// # Panics
    /// When there is no place for it, or its owner cannot be set.
    pub fn mount(mib: u32, like: &Path) -> Option<Self> {
        // Not in a scratch directory: the account of a server must be able to enter.
        let path = PathBuf::from("/tmp").join(testkit::servers::unique_name("flotilla-disk-"));
        std::fs::create_dir(&path).expect("a directory can be made");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={mib}m,mode=0700"), "tmpfs"]).arg(&path).stderr(Stdio::null());
        if !command.status().is_ok_and(|status| status.success()) {
            std::fs::remove_dir(&path).expect("it is empty");
            return None;
        }
        let mut watcher = Command::new("sh");
        watcher.args(["-c", UNMOUNT, "unmount"]).arg(&path).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watcher = watcher.process_group(0).spawn().expect("there is a shell");
        let owner = std::fs::metadata(like).expect("it is there");
        chown(&path, Some(owner.uid()), Some(owner.gid())).expect("root may");
        Some(Self { path, watcher })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the room that is left.
    ///
    /// # Panics
    /// When no file can be made.
    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).expect("a file can be made");
        while file.write_all(&[0; 4_096]).is_ok() {}
    }

    /// Gives it back.
    ///
    /// # Panics
    /// When it was not taken.
    pub fn free(&self) {
        std::fs::remove_file(self.filler()).expect("it was filled");
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        // What it could not do is told by nobody.
        drop(self.watcher.wait());
    }
}
