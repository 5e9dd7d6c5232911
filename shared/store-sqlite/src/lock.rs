//! Is this process the only one that has the database open?

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::open_error::OpenError;

/// What the lock file says about its holder.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    /// What the holder wants others to know, such as the URL of its API.
    #[serde(default)]
    pub note: String,
}

/// The operating system's exclusive lock beside the database; gone when the process is, however it ends.
pub(crate) struct FileLock {
    file: Mutex<Option<File>>,
}

impl FileLock {
    pub(crate) fn take(database: &Path) -> Result<Self, OpenError> {
        let path = path_beside(database);
        let mut file = private_file().read(true).open(&path).map_err(|error| OpenError::of_io(error, &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Held { path: database.to_owned(), holder: read(&mut file) }),
            Err(TryLockError::Error(error)) => return Err(OpenError::of_io(error, &path)),
        }
        let lock = Self { file: Mutex::new(Some(file)) };
        lock.note("").map_err(|error| OpenError::of_io(error, &path))?;
        Ok(lock)
    }

    /// Replaces the note beside our process id.
    pub(crate) fn note(&self, note: &str) -> std::io::Result<()> {
        let text = serde_json::to_string(&Holder { pid: std::process::id(), note: note.to_owned() })?;
        let mut file = self.file.lock();
        let Some(file) = file.as_mut() else { return Ok(()) };
        file.rewind()?;
        file.set_len(0)?;
        file.write_all(text.as_bytes())
    }

    /// Twice is no error. The file stays: removing it would race with the next holder.
    pub(crate) fn release(&self) {
        if let Some(file) = self.file.lock().take() {
            let _ = file.set_len(0);
        }
    }
}

/// Makes files that only their owner may read: payloads and sealed secrets are in them.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

pub(crate) fn path_beside(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

/// `None`: the holder has not written it yet, or it is no longer there.
fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.take(4_096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
