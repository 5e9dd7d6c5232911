//! The directory of one-process mode: database, secret key, the CLI's credentials. For its owner's eyes only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing} `{}`", .path.display())]
pub struct DataDirError {
    doing: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// A directory that exists and belongs to us.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
}

impl DataDir {
    /// Makes the directory, with access for its owner alone, unless it exists.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| DataDirError { doing: "make the data directory", path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The text of a file in it, if there is one.
    pub fn read(&self, name: &str) -> Result<Option<String>, DataDirError> {
        let path = self.file(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DataDirError { doing: "read", path, source }),
        }
    }

    /// Writes a file that only its owner may read, whole or not at all.
    pub fn write_private(&self, name: &str, text: &str) -> Result<PathBuf, DataDirError> {
        let (path, draft) = (self.file(name), self.file(&format!("{name}.new")));
        let error = |source| DataDirError { doing: "write", path: path.clone(), source };
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft).map_err(error)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(error)?;
        fs::rename(&draft, &path).map_err(error)?;
        // The name itself must survive a power cut, too.
        fs::File::open(&self.path).and_then(|directory| directory.sync_all()).map_err(error)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn secrets_are_for_their_owner_alone() {
        let scratch = tempfile::tempdir().expect("scratch");
        let dir = DataDir::open(&scratch.path().join("a/b")).expect("made");
        assert_eq!(dir.read("key").expect("readable"), None);
        let path = dir.write_private("key", "secret").expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(dir.path())), (0o600, 0o700));
        assert_eq!(dir.read("key").expect("readable").as_deref(), Some("secret"));
    }
}
