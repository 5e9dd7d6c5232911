//! Which files are ours? Those git tracks, and those it would offer to add.

use std::path::Path;

use anyhow::{Context, Result};

use super::rust_text::{self, Views};
use crate::workspace;

/// Directories that hold nothing of ours; only asked where there is no git to ask.
const NOT_OURS: [&str; 4] = ["target", ".git", ".flotilla", "node_modules"];

/// One text file, its path relative to the root.
#[derive(Debug)]
pub struct File {
    pub path: String,
    pub text: String,
    /// What of the text is code and what is comment; empty unless it is Rust.
    views: Views,
}

impl File {
    pub fn new(path: &str, text: &str) -> Self {
        let views = if path.ends_with(".rs") { rust_text::views(text) } else { Views::default() };
        Self { path: path.to_owned(), text: text.to_owned(), views }
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The text with comments and the insides of literals blanked; offsets and lines are those of the text.
    pub fn code(&self) -> &str {
        &self.views.code
    }

    /// The text with everything but comments blanked.
    pub fn comments(&self) -> &str {
        &self.views.comments
    }

    /// The name without directory and extension.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.split('.').find(|part| !part.is_empty()).unwrap_or(name)
    }

    /// Whether the whole file is test code: an integration test, a contract case, or an inline module moved out.
    pub fn is_test(&self) -> bool {
        let mut directories = self.path.split('/').rev().skip(1);
        self.is_rust() && (matches!(self.stem(), "tests" | "contract") || directories.any(|name| matches!(name, "tests" | "contract")))
    }
}

/// Every text file of the checkout, in order of path.
pub fn files() -> Result<Vec<File>> {
    let root = workspace::root();
    let mut paths = listed_by_git(&root).unwrap_or_default();
    if paths.is_empty() {
        walk(&root, &root, &mut paths)?;
    }
    paths.sort();
    paths.dedup();
    paths.iter().filter_map(|path| read(&root, path).transpose()).collect()
}

fn listed_by_git(root: &Path) -> Option<Vec<String>> {
    let mut command = std::process::Command::new("git");
    command.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = command.output().ok().filter(|output| output.status.success())?;
    let names = String::from_utf8_lossy(&output.stdout);
    Some(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

fn walk(root: &Path, directory: &Path, paths: &mut Vec<String>) -> Result<()> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("could not list `{}`", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() && !NOT_OURS.iter().any(|name| entry.file_name() == *name) {
            walk(root, &path, paths)?;
        } else if kind.is_file() {
            paths.extend(path.strip_prefix(root).ok().and_then(Path::to_str).map(str::to_owned));
        }
    }
    Ok(())
}

/// `None` for what is no text and for what somebody deleted but has not yet committed as deleted.
fn read(root: &Path, path: &str) -> Result<Option<File>> {
    match std::fs::read(root.join(path)) {
        Ok(bytes) => Ok(String::from_utf8(bytes).ok().map(|text| File::new(path, &text))),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::IsADirectory) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("could not read `{path}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_files_are_told_by_their_place() {
        let is_test = |path| File::new(path, "").is_test();
        assert!(is_test("shared/store-sqlite/tests/it/contract.rs"));
        assert!(is_test("shared/store/src/contract/claim.rs"));
        assert!(is_test("shared/store/src/contract.rs"));
        assert!(is_test("xtask/src/test_run/report/tests.rs"));
        assert!(!is_test("shared/store/src/work.rs"));
        assert!(!is_test("docs/tests/notes.md"));
    }

    #[test]
    fn stems_have_neither_directory_nor_extension() {
        assert_eq!(File::new("a/b.rs", "").stem(), "b");
        assert_eq!(File::new(".gitignore", "").stem(), "gitignore");
    }
}
