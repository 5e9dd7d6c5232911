//! Which Python may a test run? The one that `cargo xtask test` made, with the packages that tests need.

use std::path::PathBuf;

use crate::environment::variable;

/// Why a test is skipped, and how to have it run.
pub const HOW: &str = "no Python was made ready for this run; `cargo xtask test` does, if it can";

/// The interpreter of this run, if there is one.
pub fn interpreter() -> Option<PathBuf> {
    let path = variable("TEST_PYTHON");
    (!path.is_empty()).then(|| PathBuf::from(path))
}
