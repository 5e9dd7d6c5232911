//! Where are the programs of this workspace? Beside the tests: a build of the whole workspace puts all of them into one directory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::environment::variable;

/// The packages whose programs a fleet is made of, and that of the judge.
const PACKAGES: [&str; 7] = ["flotilla", "producer", "scheduler", "webhooks-worker", "greeter", "chaos", "testkit"];

/// The program of this name.
///
/// # Panics
/// When it is not there and cannot be built.
pub fn program(name: &str) -> PathBuf {
    let program = directory().join(name);
    if !program.exists() {
        built();
    }
    assert!(program.exists(), "the program `{name}` is not in `{}`; `cargo build --workspace --bins` puts it there", directory().display());
    program
}

/// Where they are: `TEST_PROGRAMS`, to try another build; otherwise where whoever asks was built to.
fn directory() -> PathBuf {
    let given = variable("TEST_PROGRAMS");
    if !given.is_empty() {
        return PathBuf::from(given);
    }
    let own = std::env::current_exe().unwrap_or_else(|error| panic!("a test has no place: {error}"));
    let directory = own.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    // Tests are a floor below programs.
    if directory.ends_with("deps") { directory.with_file_name("") } else { directory }
}

/// In a run of this package alone nobody has built them. All at once, and once for all tests.
fn built() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let packages = PACKAGES.iter().flat_map(|package| ["--package", package]);
        let status = Command::new(env!("CARGO")).args(["build", "--quiet", "--bins"]).args(packages).status();
        assert!(status.is_ok_and(|status| status.success()), "the programs of the roles cannot be built");
    });
}
